//! A person without a mouse: keys, and what has the focus.

use thirtyfour::Key;

use super::Browser;

/// More steps than any of our pages has; one that leads nowhere ends.
const STEPS_MAX: usize = 80;

/// What a screen reader says of the focused element: its label, or else its text. Nothing where the focus has left
/// the page, between its end and its beginning.
const FOCUSED: &str = "(() => {
    const element = document.activeElement;
    if (element === document.body) return '';
    const label = element.getAttribute('aria-label') ?? element.labels?.[0]?.textContent;
    return (label ?? element.textContent).trim();
})()";

/// Whether the focused element is drawn with an outline, as `:focus-visible` asks for.
const HAS_OUTLINE: &str = "(() => {
    const style = getComputedStyle(document.activeElement);
    return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
})()";

impl Browser {
    /// Types, or presses keys such as [`Key::Enter`], wherever the focus is.
    pub async fn type_keys(&self, keys: impl Into<thirtyfour::TypingData>) {
        let focused = self.driver.active_element().await.expect("an element has the focus");
        focused.send_keys(keys).await.expect("keys can be pressed");
    }

    /// Presses Tab until what is announced so has the focus, which has to be seen at each step.
    pub async fn tab_to(&self, label: &str) {
        let mut passed = Vec::new();
        for _ in 0..STEPS_MAX {
            self.type_keys(Key::Tab + "").await;
            let focused = self.focused().await;
            let is_seen = focused.is_empty() || self.evaluate::<bool>(HAS_OUTLINE).await;
            assert!(is_seen, "nobody sees that the focus is on {focused:?}");
            if focused == label {
                return;
            }
            passed.push(focused);
        }
        panic!("Tab does not lead to {label:?}, but to {passed:#?}");
    }

    /// What a screen reader says of the focused element.
    pub async fn focused(&self) -> String {
        self.evaluate(FOCUSED).await
    }
}
