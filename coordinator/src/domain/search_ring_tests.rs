use std::time::Duration;

use proptest::prelude::*;

use super::*;

const PEERS: usize = 3;
const LIFETIME: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
enum Step {
    Search {
        peer: usize,
    },
    Withdraw {
        search: usize,
    },
    Read {
        peer: usize,
        response_arrives: bool,
    },
    /// The sweep may be late.
    Pass {
        seconds: u64,
        is_swept: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..PEERS).prop_map(|peer| Step::Search { peer }),
        1 => (0_usize..20).prop_map(|search| Step::Withdraw { search }),
        4 => (0..PEERS, any::<bool>()).prop_map(|(peer, response_arrives)| Step::Read { peer, response_arrives }),
        1 => (1_u64..8, any::<bool>()).prop_map(|(seconds, is_swept)| Step::Pass { seconds, is_swept }),
    ]
}

fn session(peer: usize) -> SessionId {
    SessionId([u8::try_from(peer).unwrap(); 16])
}

/// A search as the model knows it.
struct Known {
    id: SearchId,
    searcher: usize,
    expires: Instant,
    withdrawn: bool,
    /// By whom.
    acknowledged: [bool; PEERS],
}

proptest! {
    /// Against a model with a list of its own for each peer: every running search that is not one's own is
    /// read until it is acknowledged, in order, and then never again.
    #[test]
    fn each_peer_reads_each_search_of_the_others(
        steps in prop::collection::vec(step(), 1..60),
        batch_bytes in 1_usize..30,
    ) {
        let mut now = crate::clock::now();
        let mut ring = SearchRing::new();
        let mut cursors = [0; PEERS];
        let mut model: Vec<Known> = Vec::new();
        for step in steps {
            match step {
                Step::Search { peer } => {
                    let id = SearchId::random();
                    let expires = now + LIFETIME;
                    ring.push(id, session(peer), model.len().to_string().into(), expires);
                    let acknowledged = [false; PEERS];
                    model.push(Known { id, searcher: peer, expires, withdrawn: false, acknowledged });
                }
                Step::Withdraw { search } => {
                    if let Some(known) = model.get_mut(search) {
                        ring.remove(known.id);
                        known.withdrawn = true;
                    }
                }
                Step::Read { peer, response_arrives } => {
                    let mut batch = BatchBuilder::new(batch_bytes);
                    let upto = ring.read(cursors[peer], session(peer), now, &mut batch);
                    let read: Vec<usize> = batch.finish().iter().map(|event| event.parse().unwrap()).collect();
                    let wanted: Vec<usize> = (0..model.len())
                        .filter(|search| {
                            let known = &model[*search];
                            let running = known.expires > now && !known.withdrawn;
                            running && known.searcher != peer && !known.acknowledged[peer]
                        })
                        .collect();
                    prop_assert!(wanted.starts_with(&read), "{read:?} of {wanted:?}");
                    prop_assert_eq!(read.is_empty(), wanted.is_empty());
                    if response_arrives {
                        cursors[peer] = upto;
                        for search in read {
                            model[search].acknowledged[peer] = true;
                        }
                    }
                }
                Step::Pass { seconds, is_swept } => {
                    now += Duration::from_secs(seconds);
                    if is_swept {
                        ring.expire(now);
                    }
                }
            }
        }
        ring.expire(now + LIFETIME);
        prop_assert_eq!(ring.entries.capacity(), 0, "nothing outlives its search, nor the room for it");
    }
}
