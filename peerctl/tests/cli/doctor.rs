//! `peerctl doctor`.

use serde_json::{Value, json};

use crate::fake_daemon::{FakeDaemon, status};

fn check(name: &str, verdict: &str, remedy: Option<&str>) -> Value {
    json!({ "name": name, "verdict": verdict, "finding": "it is so", "remedy": remedy })
}

fn daemon(checks: &[Value]) -> FakeDaemon {
    FakeDaemon::start().answers("GET /v1/status", 200, status("alice")).answers(
        "GET /v1/doctor",
        200,
        json!({ "schema": 1, "checks": checks }),
    )
}

#[test]
fn all_is_well_also_where_something_can_not_be_told() {
    let daemon = daemon(&[check("clock", "good", None), check("upload_port", "unknown", Some("open it"))]);
    daemon.peerctl(&["doctor"]).exits(0).prints(
        "VERDICT  WHAT         FINDING\n\
         good     versions     peerctl 0.1.0 (protocol 1), peer-daemon 0.1.0 (protocol 1)\n\
         good     clock        it is so\n\
         unknown  upload port  it is so\n                      -> open it\n",
    );
    let document: Value =
        serde_json::from_str(&daemon.peerctl(&["doctor", "--json"]).exits(0).stdout).unwrap();
    assert_eq!(document["well"], json!(true));
    assert_eq!(document["checks"][1], check("clock", "good", None));
}

#[test]
fn what_is_not_well_exits_with_1() {
    for verdict in ["warning", "bad"] {
        let daemon = daemon(&[check("swap", verdict, Some("turn it off"))]);
        let ran = daemon.peerctl(&["doctor"]).exits(1);
        assert!(ran.stdout.ends_with("-> turn it off\n"), "{ran:?}");
    }
    let mut older = status("alice");
    older["version"] = json!("0.0.9");
    let daemon = FakeDaemon::start().answers("GET /v1/status", 200, older).answers(
        "GET /v1/doctor",
        200,
        json!({ "schema": 1, "checks": [] }),
    );
    let ran = daemon.peerctl(&["doctor"]).exits(1);
    assert!(ran.stdout.contains("but peer-daemon 0.0.9"), "{ran:?}");
    FakeDaemon::absent().peerctl(&["doctor"]).exits(3);
}
