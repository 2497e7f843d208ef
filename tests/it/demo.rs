//! The demo as its users start it: what it offers of their own agents, and that nothing else leaves it.

use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::{Value, json};

use super::console::Browser;
use super::server::{Lines, Settings, follow};
use super::soon;
use super::vendors::Vendors;

/// The number of the console's phone, which the demo has a permission to call.
const PHONE: &str = "+12125550114";

const CARRIERS_OWN: &str = "retell:agent_9";

/// A running demo, and somebody who used its link.
struct Demo {
    child: Child,
    out: Lines,
    settings: Settings,
    browser: Browser,
}

impl Demo {
    async fn start(settings: Settings) -> Self {
        let mut child = settings.command().arg("demo").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut out = follow(child.stdout.take().unwrap());
        let link = printed(&mut out, "/console/sign-in?token=").await;
        let (base, token) = link.split_once("/console/sign-in?token=").unwrap();
        let mut browser = Browser::new(&base[base.find("http").unwrap()..]);
        assert_eq!(browser.sign_in("token", token).await.status(), 303);
        Self { child, out, settings, browser }
    }

    async fn printed(&mut self, text: &str) -> String {
        printed(&mut self.out, text).await
    }

    /// Has an agent call the console's phone, in front of which nobody sits.
    async fn call_me(&self, agent: &str) {
        assert_eq!(self.browser.post("/api/v1/calls", &json!({"to": PHONE, "agent": agent})).await, 202);
    }

    /// The newest call of this agent, once it fits.
    async fn call_of(&self, agent: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let look = async {
            loop {
                let calls = self.browser.json("/api/v1/calls").await;
                let of_agent = calls["calls"].as_array().unwrap().iter().find(|call| call["agent"] == agent);
                if let Some(call) = of_agent.filter(|call| fits(call)) {
                    return call.clone();
                }
                tokio::task::yield_now().await;
            }
        };
        soon("a call of the agent", look).await
    }

    async fn offers(&self, agent: &str) -> bool {
        let page = self.browser.get("/console/phone").await.text().await.unwrap();
        assert!(page.contains("<option value=\"elevenlabs:agent_follow_up\">"), "{page}");
        page.contains(&format!("<option value=\"{agent}\">"))
    }

    /// SIGTERM.
    async fn ended(&mut self) -> ExitStatus {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        soon("the demo's exit", async { while self.out.changed().await.is_ok() {} }).await;
        self.child.wait().unwrap()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // One that has exited already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(self.settings.folder());
    }
}

async fn printed(out: &mut Lines, text: &str) -> String {
    let has = |lines: &Vec<String>| lines.iter().any(|line| line.contains(text));
    let lines = soon(text, out.wait_for(has)).await.unwrap_or_else(|_| panic!("the demo ended before it said: {text}"));
    lines.iter().find(|line| line.contains(text)).unwrap().clone()
}

#[tokio::test]
async fn an_agent_of_the_settings_calls_the_phone_and_the_demos_own_calls_stay_with_the_emulated_ones() {
    let vendors = Vendors::start().await;
    let agent = vendors.create_agent("reception").await;
    let named = format!("{agent} | {CARRIERS_OWN}");
    let settings = Settings::new(&vendors, &[("AGENTS__DEFAULT", &named), ("AGENTS__RETELL__API_KEY", "a-key")]);
    let mut demo = Demo::start(settings.with_variable("ELEVENLABS_API_KEY", "emulated-api-key")).await;
    demo.printed("An agent of your settings is there too").await;
    demo.printed("retell:agent_9 cannot be tried here: Retell takes calls from a real carrier only").await;
    assert!(demo.offers(&agent).await);
    assert!(!demo.offers(CARRIERS_OWN).await);
    assert_eq!(vendors.conversations(), 0);
    demo.call_me(&agent).await;
    vendors.agent_answered().await;
    demo.call_of(&agent, |call| call["state"] == "in_progress").await;
    // By now the first of the demo's own calls has come to its agent, which is not at this vendor. Nor has this carrier been asked for
    // anything: the account in the environment is none of the demo's.
    demo.printed("agent:  Hello, this is Ava").await;
    assert_eq!((vendors.conversations(), vendors.twilio.log().since(0).len()), (1, 0));
    // What is known of an agent is asked for at its own account.
    let health = demo.browser.json("/console/data/health").await.to_string();
    assert!(health.contains(&format!("{agent} is there")), "{health}");
    assert!(demo.ended().await.success());
}

#[tokio::test]
async fn without_a_key_nothing_leaves_the_demo_whoever_is_named() {
    let vendors = Vendors::start().await;
    let agent = vendors.create_agent("reception").await;
    let before = vendors.elevenlabs.log().since(0).len();
    let mut demo = Demo::start(Settings::new(&vendors, &[("AGENTS__DEFAULT", &agent)])).await;
    demo.printed(&format!("{agent} cannot be tried here: set ELEVENLABS_API_KEY")).await;
    assert!(!demo.offers(&agent).await);
    // Asked for all the same, it is looked for at the emulated vendor, which has no such agent.
    demo.call_me(&agent).await;
    assert_eq!(demo.call_of(&agent, |call| call["state"] == "ended").await["disposition"], "agent_failed");
    assert_eq!(vendors.elevenlabs.log().since(0).len(), before);
    assert!(vendors.twilio.log().since(0).is_empty());
    assert!(demo.ended().await.success());
}
