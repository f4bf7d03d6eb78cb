//! A network of a test's own: what only happens between addresses that are not loopback.

use std::process::Command;

/// Says to the second run of a test that it is inside.
const INSIDE: &str = "HEARSAY_TEST_NAMESPACE";
/// The machine's address in such a network, in a private range.
pub const ADDRESS: [u8; 4] = [10, 9, 0, 1];

/// Runs the calling test once more, alone in a fresh network namespace in which this machine is 127.0.0.1 and
/// [`ADDRESS`]. Answers `true` inside; outside, `false` after the run inside has passed, and panics if it has not.
///
/// `name` is the test's name within its binary. A user who is not root becomes so in a user namespace, where the
/// system lets it.
#[must_use]
pub fn enter(name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let mut unshare = Command::new("unshare");
    unshare.arg("--net").env(INSIDE, "1");
    if !rustix::process::geteuid().is_root() {
        unshare.arg("--map-root-user");
    }
    let [a, b, c, d] = ADDRESS;
    let set_up = format!("ip link set lo up && ip address add {a}.{b}.{c}.{d}/24 dev lo && exec \"$@\"");
    let test = std::env::current_exe().expect("the test's own binary");
    let run =
        unshare.args(["sh", "-c", &set_up, "sh"]).arg(test).args(["--exact", name, "--nocapture"]).output();
    let output = run.expect("unshare, of Debian's util-linux");
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "inside a network namespace:\n{said}");
    assert!(said.contains("1 passed"), "no test has the name {name}:\n{said}");
    false
}
