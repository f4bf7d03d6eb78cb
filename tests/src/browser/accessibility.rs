//! Whether the page keeps anybody out: the rules of WCAG 2.1 (A and AA) that a program can check, by axe-core.

use serde_json::Value;

use super::Browser;

const AXE: &str = include_str!("../../vendor/axe-core/axe.min.js");
/// Gives a line for each breach: the rule, what it asks for, and where.
const RUN: &str = "
    const done = arguments[arguments.length - 1];
    const rules = { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] };
    axe.run(document, { runOnly: rules, resultTypes: ['violations'] }).then(
        ({ violations, passes }) => done({
            passed: passes.length,
            breaches: violations.flatMap(({ id, help, nodes }) => nodes.map(
                ({ target, failureSummary }) => `${id}: ${help}: ${target.join(' ')}: ${failureSummary}`)),
        }),
        (error) => done({ passed: 0, breaches: [String(error)] }),
    );";

impl Browser {
    /// Panics with what axe-core finds wrong with the page as it is now.
    pub async fn assert_accessible(&self, what: &str) {
        // Half a megabyte: once for a page is enough.
        if !self.evaluate::<bool>("typeof axe === 'object'").await {
            self.driver.execute(AXE, Vec::new()).await.expect("axe-core loads");
        }
        let found = self.driver.execute_async(RUN, Vec::new()).await.expect("axe-core runs");
        let found: Value = found.convert().expect("what axe-core found");
        assert_eq!(found["breaches"].as_array().map(Vec::len), Some(0), "{what}: {found:#}");
        assert!(found["passed"].as_u64() > Some(10), "{what}: axe-core looked at nothing: {found:#}");
    }
}
