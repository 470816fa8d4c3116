//! What is shown, found by role and name whenever something is done with it: a page may draw it anew at any time.

use std::panic::Location;
use std::path::Path;
use std::time::Instant;

use fantoccini::elements::{Element, ElementRef};
use serde_json::{Value, json};

use super::{AGAIN, Browser, PATIENCE, passing};

/// The key of an element in JSON (<https://www.w3.org/TR/webdriver1/#dfn-web-element-identifier>).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Where something is looked for: the page, or a part of it.
///
/// Names are whole ones, of buttons, links, fields and the like; rows, items, alerts and texts are known by something
/// that is written in them.
pub trait Finds {
    #[doc(hidden)]
    fn step(&self, role: &'static str, name: Option<&str>, exact: bool) -> Shown<'_>;

    /// A button, or what opens a menu.
    #[track_caller]
    fn button(&self, name: &str) -> Shown<'_> {
        self.step("button", Some(name), true)
    }

    /// A link.
    #[track_caller]
    fn link(&self, name: &str) -> Shown<'_> {
        self.step("link", Some(name), true)
    }

    /// A link whose name holds this.
    #[track_caller]
    fn link_with(&self, part: &str) -> Shown<'_> {
        self.step("link", Some(part), false)
    }

    /// A field, list or date to fill in, by its label.
    #[track_caller]
    fn field(&self, label: &str) -> Shown<'_> {
        self.step("field", Some(label), true)
    }

    /// The fields for files, which pages hide behind buttons of their own.
    #[track_caller]
    fn files(&self) -> Shown<'_> {
        self.step("files", None, true)
    }

    /// A box to tick or switch, by its label.
    #[track_caller]
    fn checkbox(&self, label: &str) -> Shown<'_> {
        self.step("checkbox", Some(label), true)
    }

    /// A choice among others, by its label.
    #[track_caller]
    fn radio(&self, label: &str) -> Shown<'_> {
        self.step("radio", Some(label), true)
    }

    /// A heading.
    #[track_caller]
    fn heading(&self, text: &str) -> Shown<'_> {
        self.step("heading", Some(text), true)
    }

    /// A dialog that is open, by its title.
    #[track_caller]
    fn dialog(&self, title: &str) -> Shown<'_> {
        self.step("dialog", Some(title), true)
    }

    /// The row of a table in which this is written.
    #[track_caller]
    fn row(&self, part: &str) -> Shown<'_> {
        self.step("row", Some(part), false)
    }

    /// The entry of a list, or the card, in which this is written.
    #[track_caller]
    fn item(&self, part: &str) -> Shown<'_> {
        self.step("item", Some(part), false)
    }

    /// A part of the page, by its name.
    #[track_caller]
    fn region(&self, name: &str) -> Shown<'_> {
        self.step("region", Some(name), true)
    }

    /// What complains, with this in it.
    #[track_caller]
    fn alert(&self, part: &str) -> Shown<'_> {
        self.step("alert", Some(part), false)
    }

    /// What tells how it is, with this in it.
    #[track_caller]
    fn status(&self, part: &str) -> Shown<'_> {
        self.step("status", Some(part), false)
    }

    /// The pictures.
    #[track_caller]
    fn pictures(&self) -> Shown<'_> {
        self.step("picture", None, false)
    }

    /// The picture with this text for whoever cannot see it.
    #[track_caller]
    fn picture(&self, text: &str) -> Shown<'_> {
        self.step("picture", Some(text), true)
    }

    /// The smallest piece of the page in which this is written.
    #[track_caller]
    fn text(&self, part: &str) -> Shown<'_> {
        self.step("text", Some(part), false)
    }
}

impl Finds for Browser {
    #[track_caller]
    fn step(&self, role: &'static str, name: Option<&str>, exact: bool) -> Shown<'_> {
        let steps = vec![json!({"role": role, "name": name, "exact": exact})];
        Shown { browser: self, steps, asked: Location::caller() }
    }
}

impl Finds for Shown<'_> {
    #[track_caller]
    fn step(&self, role: &'static str, name: Option<&str>, exact: bool) -> Shown<'_> {
        let mut steps = self.steps.clone();
        steps.push(json!({"role": role, "name": name, "exact": exact}));
        Shown { browser: self.browser, steps, asked: Location::caller() }
    }
}

/// Something that is or will be shown.
pub struct Shown<'a> {
    browser: &'a Browser,
    steps: Vec<Value>,
    asked: &'static Location<'static>,
}

impl Shown<'_> {
    /// Waits until it is there, at least once.
    pub async fn seen(&self) {
        self.wait("some").await;
    }

    /// Waits until it is there no more.
    pub async fn gone(&self) {
        self.wait("none").await;
    }

    /// How many there are now.
    pub async fn count(&self) -> usize {
        let found = self.browser.run("return window.__person.find(arguments[0])", &[json!(self.steps)]).await;
        found.as_array().map_or(0, Vec::len)
    }

    /// Clicks on it once it can be used.
    pub async fn click(&self) {
        self.until("enabled", async |element: &Element| element.click().await).await;
    }

    /// Replaces what is written in a field by this.
    pub async fn fill(&self, text: &str) {
        let element = self.one().await;
        let kind = element.prop("type").await.ok().flatten().unwrap_or_default();
        if matches!(kind.as_str(), "date" | "time" | "datetime-local" | "month") {
            // How these are typed depends on the language.
            let script = "const [field, value] = arguments; \
                          Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(field, value); \
                          field.dispatchEvent(new Event('input', { bubbles: true })); \
                          field.dispatchEvent(new Event('change', { bubbles: true }));";
            self.browser.run(script, &[reference(&element), json!(text)]).await;
            return;
        }
        // All of it is selected: Control and A, then the key that ends both. What is typed takes its place.
        let typed = match text {
            "" => "\u{e017}",
            lines if lines.contains('\n') => "",
            line => line,
        };
        let keys = format!("\u{e009}a\u{e000}{typed}");
        self.until("enabled", async |element: &Element| element.send_keys(&keys).await).await;
        if typed.is_empty() {
            // Several lines are pasted: an editor makes something of every key.
            self.browser.devtools("Input.insertText", json!({"text": text})).await;
        }
    }

    /// Gives a field for files this one.
    pub async fn attach(&self, file: &Path) {
        self.one().await.send_keys(&file.display().to_string()).await.expect("a file");
    }

    /// Chooses from a list by what is written there.
    pub async fn choose(&self, option: &str) {
        self.until("enabled", async |element: &Element| element.select_by_label(option).await).await;
    }

    /// What is written in it, with single spaces; waits until it is there.
    pub async fn words(&self) -> String {
        let element = self.one().await;
        let script = "return arguments[0].innerText";
        let text = self.browser.run(script, &[reference(&element)]).await;
        text.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// What is written in a field now.
    pub async fn value(&self) -> String {
        self.one().await.prop("value").await.expect("a property").unwrap_or_default()
    }

    /// An attribute.
    pub async fn attribute(&self, name: &str) -> Option<String> {
        self.one().await.attr(name).await.expect("an attribute")
    }

    /// What a script returns that gets the element as its first argument.
    pub async fn run(&self, script: &str) -> Value {
        let element = self.one().await;
        self.browser.run(script, &[reference(&element)]).await
    }

    /// Waits until an image has shown so many different pictures.
    pub async fn shows_pictures(&self, count: u64) {
        let begun = Instant::now();
        // The page may take the image away meanwhile.
        let script =
            "const [image] = window.__person.find(arguments[0]); return image && window.__person.pictures(image)";
        while self.browser.run(script, &[json!(self.steps)]).await.as_u64().is_none_or(|seen| seen < count) {
            if begun.elapsed() > PATIENCE {
                self.fail("moving pictures", "").await;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn one(&self) -> Element {
        self.wait("one").await.remove(0)
    }

    /// Does something with it, and again when it was drawn anew or covered meanwhile.
    async fn until<T>(&self, want: &str, act: impl AsyncFn(&Element) -> Result<T, fantoccini::error::CmdError>) -> T {
        let begun = Instant::now();
        loop {
            let element = self.wait(want).await.remove(0);
            let error = match act(&element).await {
                Ok(done) => return done,
                Err(error) => passing(error),
            };
            if begun.elapsed() > PATIENCE {
                self.fail(want, &error).await;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn wait(&self, want: &str) -> Vec<Element> {
        const WITHIN_MS: u64 = 1000;
        let script = "return window.__person.wait(...arguments)";
        let begun = Instant::now();
        loop {
            let arguments = vec![json!(self.steps), json!(want), json!(WITHIN_MS)];
            let error = match self.browser.client.execute(script, arguments).await {
                Ok(Value::Array(found)) => return found.into_iter().map(|one| self.element(&one)).collect(),
                Ok(_) => String::new(),
                Err(error) => passing(error),
            };
            if begun.elapsed() > PATIENCE {
                self.fail(want, &error).await;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    fn element(&self, reference: &Value) -> Element {
        let id = reference[ELEMENT].as_str().expect("an element").to_owned();
        Element::from_element_id(self.browser.client.clone(), ElementRef::from(id))
    }

    async fn fail(&self, want: &str, error: &str) -> ! {
        let role = self.steps.last().map(|step| step["role"].clone()).unwrap_or_default();
        let offered = self.browser.run("return window.__person.offered(arguments[0])", &[role]).await;
        let (asked, steps) = (self.asked, json!(self.steps));
        let page = self.browser.describe().await;
        panic!("{asked}: wanted {want} of {steps}; there are {} ({offered}) {error}\n{page}", self.count().await);
    }
}

fn reference(element: &Element) -> Value {
    json!({ELEMENT: element.element_id().as_ref()})
}
