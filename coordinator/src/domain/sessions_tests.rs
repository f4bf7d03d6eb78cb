use super::{
    super::{batch::Cursor, rows::PollTicket},
    *,
};

const LEASE: Duration = Duration::from_mins(1);

fn sessions(takeover_until: Option<Instant>) -> Sessions {
    let rules = SessionRules { lease: LEASE, sessions_max: 3, takeover_until };
    let nobody = Nobody { session: SessionId([255; 16]), name: name(255, 255) };
    Sessions::new(rules, nobody, crate::clock::now())
}

fn name(skeleton: u8, exact: u8) -> HashedName {
    HashedName { skeleton: [skeleton; 16], exact: [exact; 16] }
}

fn claim(session: u8, name: HashedName, lineage: u8, proof: Proof) -> Claim {
    let session = SessionId([session; 16]);
    Claim { session, name, lineage: LineageHash([lineage; 16]), proof, epoch: 0 }
}

/// Begins a poll, and tells how many others were overtaken by it.
fn begin_poll(sessions: &Sessions, id: SessionId, now: Instant) -> (PollTicket, usize) {
    let begun = sessions.rows.with_live(id, now, |session| {
        let (ticket, overtaken) = session.begin_poll();
        session.wake_by(Waker::noop());
        (ticket, overtaken.into_iter().count())
    });
    begun.unwrap()
}

fn end_poll(sessions: &Sessions, id: SessionId, ticket: PollTicket, now: Instant) {
    sessions.rows.with(id, |session| session.end_poll(ticket, LEASE, now)).unwrap();
}

const ALICE: HashedName = HashedName { skeleton: [1; 16], exact: [1; 16] };

#[test]
fn a_held_name_and_its_look_alikes_are_refused_and_the_holder_goes_on() {
    let now = crate::clock::now();
    let mut sessions = sessions(None);
    let holder = claim(1, ALICE, 1, Proof::None);
    assert_eq!(sessions.claim(&holder, 0, now), Ok(None));
    let stranger = claim(2, ALICE, 2, Proof::None);
    assert_eq!(sessions.claim(&stranger, 0, now), Err(ClaimError::Taken));
    let look_alike = claim(2, name(1, 9), 2, Proof::Recent);
    assert_eq!(sessions.claim(&look_alike, 0, now), Err(ClaimError::Taken));
    assert!(sessions.is_there(holder.session, now));
    assert_eq!(sessions.find(ALICE, now), Some(holder.session));
    assert_eq!(sessions.find(name(1, 9), now), None, "what is for a look-alike does not reach the holder");
}

#[test]
fn a_claim_is_repeated_without_effect_and_a_token_holds_one_name() {
    let now = crate::clock::now();
    let mut sessions = sessions(None);
    let first = claim(1, ALICE, 1, Proof::None);
    sessions.claim(&first, 0, now).unwrap();
    let later = now + LEASE / 2;
    assert_eq!(sessions.claim(&first, 0, later), Ok(None));
    assert_eq!(sessions.len(), 1);
    assert!(sessions.is_there(first.session, now + LEASE), "but that its lease starts anew");
    let other_name = claim(1, name(2, 2), 1, Proof::None);
    assert_eq!(sessions.claim(&other_name, 0, now), Err(ClaimError::SessionInUse));
}

#[test]
fn the_lease_runs_from_the_end_of_the_last_poll() {
    let mut now = crate::clock::now();
    let mut sessions = sessions(None);
    let holder = claim(1, ALICE, 1, Proof::None);
    sessions.claim(&holder, 0, now).unwrap();
    let (ticket, _) = begin_poll(&sessions, holder.session, now);
    now += 3 * LEASE;
    sessions.expire(now);
    assert_eq!((sessions.len(), sessions.live_polls()), (1, 1), "a polling session does not lapse");
    end_poll(&sessions, holder.session, ticket, now);
    sessions.expire(now + LEASE / 2);
    assert_eq!(sessions.len(), 1);
    sessions.expire(now + LEASE);
    assert_eq!((sessions.len(), sessions.by_skeleton.len()), (0, 1), "nobody stays");
}

#[test]
fn a_lapsed_session_is_gone_before_any_sweep() {
    let now = crate::clock::now();
    let mut sessions = sessions(None);
    let first = claim(1, ALICE, 1, Proof::None);
    sessions.claim(&first, 0, now).unwrap();
    let later = now + LEASE;
    assert!(!sessions.is_there(first.session, later));
    assert!(sessions.claim(&claim(2, ALICE, 2, Proof::None), 0, later).is_ok());
    assert_eq!(sessions.len(), 1);
}

#[test]
fn who_comes_and_goes_leaves_nothing_to_look_after() {
    let mut now = crate::clock::now();
    let mut sessions = sessions(None);
    for epoch in 1..100 {
        let again = Claim { epoch, ..claim(1, ALICE, 1, Proof::None) };
        assert_eq!(sessions.claim(&again, 0, now), Ok(None));
        begin_poll(&sessions, again.session, now);
        if epoch < 99 {
            sessions.remove(again.session);
        }
    }
    now += LEASE;
    sessions.expire(now);
    assert_eq!((sessions.len(), sessions.leases.len()), (1, 2), "its own, and nobody's");
}

#[test]
fn an_older_poll_ends_without_touching_the_newer() {
    let now = crate::clock::now();
    let mut sessions = sessions(None);
    let holder = claim(1, ALICE, 1, Proof::None);
    sessions.claim(&holder, 0, now).unwrap();
    let (older, _) = begin_poll(&sessions, holder.session, now);
    let (newer, overtaken) = begin_poll(&sessions, holder.session, now);
    assert_eq!(overtaken, 1, "the older one is woken to see it");
    let is_live = |ticket| sessions.rows.with(holder.session, |session| session.is_live(ticket)).unwrap();
    assert!(!is_live(older) && is_live(newer));
    end_poll(&sessions, holder.session, older, now);
    assert!(is_live(newer));
    assert_eq!(sessions.live_polls(), 1);
    end_poll(&sessions, holder.session, newer, now);
    assert_eq!(sessions.live_polls(), 0);
}

#[test]
fn the_same_lineage_takes_over_at_once_and_no_other() {
    let now = crate::clock::now();
    let mut sessions = sessions(None);
    let first = claim(1, ALICE, 1, Proof::None);
    sessions.claim(&first, 0, now).unwrap();
    for other in [claim(2, ALICE, 2, Proof::BeforeStart), claim(2, ALICE, 1, Proof::None)] {
        assert_eq!(sessions.claim(&other, 0, now), Err(ClaimError::Taken), "{other:?}");
    }
    let next = claim(2, ALICE, 1, Proof::Recent);
    assert_eq!(sessions.claim(&next, 0, now), Ok(Some(first.session)));
    assert!(!sessions.is_there(first.session, now));
    assert_eq!(sessions.find(ALICE, now), Some(next.session));
}

#[test]
fn after_a_restart_a_proof_from_before_outweighs_a_claim_without_one() {
    let now = crate::clock::now();
    let mut sessions = sessions(Some(now + Duration::from_mins(2)));
    let squatter = claim(1, ALICE, 7, Proof::None);
    sessions.claim(&squatter, 0, now).unwrap();
    // The squatter's own, recent name token does not make it the rightful holder.
    sessions.claim(&claim(1, ALICE, 7, Proof::Recent), 0, now).unwrap();
    let rightful = claim(2, ALICE, 1, Proof::BeforeStart);
    let too_late = now + Duration::from_mins(2);
    begin_poll(&sessions, squatter.session, now);
    assert_eq!(sessions.claim(&rightful, 0, too_late), Err(ClaimError::Taken));
    assert_eq!(sessions.claim(&rightful, 0, now), Ok(Some(squatter.session)));
    assert_eq!((sessions.live_polls(), sessions.take_overtaken().len()), (0, 1), "whose poll is woken");
    let another = claim(3, ALICE, 3, Proof::BeforeStart);
    assert_eq!(sessions.claim(&another, 0, now), Err(ClaimError::Taken), "proof does not outweigh proof");
    sessions.claim(&claim(2, ALICE, 1, Proof::None), 0, now).unwrap();
    assert_eq!(
        sessions.claim(&another, 0, now),
        Err(ClaimError::Taken),
        "a proof that was shown stays shown"
    );
}

#[test]
fn in_the_takeover_only_a_proof_from_before_the_start_outweighs_and_new_rules_do_not_prolong_it() {
    let now = crate::clock::now();
    let until = now + Duration::from_mins(2);
    let mut sessions = sessions(Some(until));
    sessions.claim(&claim(1, ALICE, 7, Proof::None), 0, now).unwrap();
    assert_eq!(sessions.claim(&claim(2, ALICE, 1, Proof::Recent), 0, now), Err(ClaimError::Taken));
    sessions.change_rules(SessionRules { takeover_until: None, ..sessions.rules });
    assert_eq!(sessions.rules.takeover_until, Some(until));
    let rightful = claim(2, ALICE, 1, Proof::BeforeStart);
    assert_eq!(sessions.claim(&rightful, 0, now), Ok(Some(SessionId([1; 16]))));
}

#[test]
fn a_repeated_claim_goes_on_with_the_lineage_that_it_shows() {
    let now = crate::clock::now();
    let mut sessions = sessions(None);
    sessions.claim(&claim(1, ALICE, 1, Proof::None), 0, now).unwrap();
    sessions.claim(&claim(1, ALICE, 2, Proof::Recent), 0, now).unwrap();
    assert_eq!(sessions.claim(&claim(2, ALICE, 1, Proof::Recent), 0, now), Err(ClaimError::Taken));
    assert_eq!(sessions.claim(&claim(2, ALICE, 2, Proof::Recent), 0, now), Ok(Some(SessionId([1; 16]))));
}

#[test]
fn a_cursor_is_known_to_the_session_that_can_have_been_given_it() {
    let now = crate::clock::now();
    let mut sessions = sessions(None);
    let holder = Claim { epoch: 5, ..claim(1, ALICE, 1, Proof::None) };
    sessions.claim(&holder, 0, now).unwrap();
    sessions.with_mailbox(holder.session, now, |mailbox| mailbox.count_loss(now)).unwrap();
    for (epoch, mailbox, ring, is_known) in
        [(5, 0, 0, true), (5, 1, 3, true), (4, 1, 3, false), (5, 2, 3, false), (5, 1, 4, false)]
    {
        let cursor = Cursor { epoch, mailbox, ring };
        let knows = sessions.rows.with(holder.session, |session| session.knows(cursor, 3));
        assert_eq!(knows, Some(is_known), "{cursor:?}");
    }
}

#[test]
fn the_table_is_bounded() {
    let now = crate::clock::now();
    let mut sessions = sessions(None);
    for id in 1..=3 {
        sessions.claim(&claim(id, name(id, id), id, Proof::None), 0, now).unwrap();
    }
    let fourth = claim(4, name(4, 4), 4, Proof::None);
    assert_eq!(sessions.claim(&fourth, 0, now), Err(ClaimError::Full));
    let next = claim(5, name(1, 1), 1, Proof::Recent);
    assert_eq!(sessions.claim(&next, 0, now), Ok(Some(SessionId([1; 16]))), "it takes no more room");
    sessions.remove(next.session);
    assert_eq!(sessions.claim(&fourth, 0, now), Ok(None));
}
