//! What the tools do.

use std::collections::BTreeSet;

use clearline::store::{AuditOutcome, Store};
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use super::client::Client;
use super::open_house;
use crate::SELLER;

/// The emulated vendor's own.
const VENDOR_KEY: (&str, &str) = ("AGENTS__ELEVENLABS__API_KEY", "emulated-api-key");

fn id(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_else(|| panic!("{name} in {body}")).to_owned()
}

#[tokio::test]
async fn an_agent_works_a_whole_call() {
    let (vendors, server, agent) = open_house(&[VENDOR_KEY]).await;
    vendors.seat(SELLER, "seller").await;
    let blocked = agent.error("initiate_call_with_compliance", json!({"to": SELLER})).await;
    assert_eq!((&blocked["code"], &blocked["retryable"]), (&json!("compliance_blocked"), &json!(false)));
    let reasons = blocked["details"]["reasons"].as_array().unwrap();
    assert!(reasons.iter().any(|reason| reason["code"] == "CONSENT_MISSING"), "{blocked}");
    assert!(reasons.iter().all(|reason| reason["citation"].as_str().is_some_and(|law| !law.is_empty())));
    assert!(blocked["hint"].as_str().unwrap().starts_with("No call was placed."));
    assert_eq!(vendors.dials(), 0);

    let emergency = json!({"to": SELLER, "purpose": "emergency", "agent": "elevenlabs:agent_follow_up",
        "idempotency_key": "once"});
    let mut dry = emergency.clone();
    dry["dry_run"] = true.into();
    let dry = agent.call("initiate_call_with_compliance", dry).await;
    assert_eq!((&dry["allowed"], &dry["dry_run"], vendors.dials()), (&json!(true), &json!(true), 0), "{dry}");

    let placed = agent.call("initiate_call_with_compliance", emergency.clone()).await;
    let call = id(&placed, "call_id");
    let again = agent.call("initiate_call_with_compliance", emergency).await;
    assert_eq!((id(&again, "call_id"), &again["idempotent_replay"]), (call.clone(), &json!(true)));
    let other = json!({"to": "+12125550114", "purpose": "emergency", "idempotency_key": "once"});
    assert_eq!(agent.error("initiate_call_with_compliance", other).await["code"], "idempotency_conflict");

    let mut stream = agent.listen(&[&format!("call://{call}"), "calls://active", "call://nonsense"]).await;
    loop {
        let waited =
            agent.call("wait_for_call", json!({"call_id": call, "until": "answered", "timeout_secs": 50})).await;
        if waited["reached"] == true {
            break;
        }
    }
    let told = stream.next().await.expect("an update");
    assert_eq!(told["method"], "notifications/resources/updated", "{told}");

    let active = agent.call("list_active_calls", json!({})).await;
    assert_eq!((&active["count"], id(&active["calls"][0], "call_id")), (&json!(1), call.clone()));
    let mut lines = Vec::new();
    let mut after = 0;
    while lines.len() < 2 {
        let read = json!({"call_id": call, "after_seq": after, "wait_secs": 50});
        let heard = agent.call("get_call_transcript", read).await;
        assert_eq!(heard["ended"], false, "the call ended before anything was said: {heard}");
        after = heard["next_seq"].as_i64().unwrap();
        lines.extend(heard["lines"].as_array().unwrap().clone());
    }
    assert!(lines.iter().all(|line| (line["role"] == "caller") == (line["untrusted"] == true)), "{lines:?}");
    assert_eq!(vendors.dials(), 1);
    let told = json!({"call_id": call, "message": "The seller is in a hurry."});
    assert_eq!(agent.call("send_message_to_agent", told).await["sent"], true);
    assert_eq!(agent.call("send_dtmf", json!({"call_id": call, "digits": "1w2"})).await["sent"], true);
    let outside =
        agent.error("transfer_call", json!({"call_id": call, "to": "+12125550114", "purpose": "telemarketing"}));
    assert_eq!(outside.await["code"], "compliance_blocked", "a transfer is a call to somebody");

    agent.call("end_call", json!({"call_id": call})).await;
    let mut ended = json!({});
    while ended["reached"] != true {
        ended = agent.call("wait_for_call", json!({"call_id": call, "timeout_secs": 50})).await;
    }
    assert_eq!(ended["call"]["state"], "ended");
    let sid = id(&ended["call"], "call_sid");
    let twilio = agent.call("twilio_get_call", json!({"call_sid": sid})).await;
    assert_eq!((&twilio["status"], id(&twilio, "call_id")), (&json!("completed"), call.clone()));
    assert_eq!(agent.call("end_call", json!({"call_id": sid})).await["already_ended"], true);
    let history = agent.call("get_call_history", json!({"limit": 1})).await;
    assert_eq!((id(&history["calls"][0], "call_id"), &history["has_more"]), (call, &json!(true)));
    let older = agent.call("get_call_history", json!({"cursor": history["next_cursor"]})).await;
    assert_eq!((&older["calls"][0]["disposition"], &older["has_more"]), (&json!("blocked"), &json!(false)));
    let blocked = agent.call("get_call_history", json!({"disposition": "blocked"})).await;
    assert_eq!(blocked["calls"], older["calls"]);
    let word = agent.error("get_call_history", json!({"disposition": "gone"})).await;
    assert_eq!(word["code"], "invalid_arguments");
    drop(server);
}

#[tokio::test]
async fn twilio_make_call_is_gated_like_every_other_door() {
    let (vendors, _server, agent) = open_house(&[]).await;
    let blocked = agent.error("twilio_make_call", json!({"to": SELLER, "purpose": "telemarketing"})).await;
    assert_eq!(blocked["code"], "compliance_blocked");
    let foreign = json!({"to": SELLER, "from": "+12125550199", "purpose": "emergency"});
    assert_eq!(agent.error("twilio_make_call", foreign).await["code"], "invalid_arguments");
    assert_eq!(vendors.dials(), 0);
}

#[tokio::test]
async fn records_are_kept_and_bind_at_once() {
    let (vendors, _server, agent) = open_house(&[]).await;
    let unknown = agent.call("verify_consent", json!({"number": SELLER})).await;
    assert_eq!((&unknown["has_consent"], unknown["consents"].as_array().unwrap().len()), (&json!(false), 0));
    let consent = json!({"number": SELLER, "kind": "written", "scope": ["telemarketing"], "method": "paper",
        "given_at": "2026-01-05T12:00:00Z", "text": "Yes, call me with an artificial voice."});
    assert_eq!(agent.call("record_consent", consent).await["number"], "+1212•••0113");
    assert_eq!(agent.call("verify_consent", json!({"number": SELLER})).await["has_written_consent"], true);
    agent.call("revoke_consent", json!({"number": SELLER, "words": "stop"})).await;
    assert_eq!(agent.call("verify_consent", json!({"number": SELLER})).await["has_consent"], false);

    assert_eq!(agent.call("check_dnc_status", json!({"number": SELLER})).await["listed_internally"], false);
    agent.call("add_to_dnc", json!({"number": SELLER})).await;
    let listed = agent.call("check_dnc_status", json!({"number": SELLER})).await;
    assert_eq!((&listed["listed_internally"], &listed["entries"][0]["channel"]), (&json!(true), &json!("mcp")));
    let checked = agent.call("check_tcpa_compliance", json!({"number": SELLER})).await;
    assert_eq!((&checked["allowed"], &checked["reason_code"]), (&json!(false), &json!("INTERNAL_DNC")), "{checked}");

    let made = agent.call("upsert_lead", json!({"number": SELLER, "first_name": "Dana", "tags": ["riverside"]})).await;
    let lead = id(&made["lead"], "lead_id");
    let changed = agent.call("upsert_lead", json!({"lead_id": lead, "status": "contacted"})).await;
    assert_eq!((&changed["lead"]["first_name"], &changed["created"]), (&json!("Dana"), &json!(false)));
    let marked = agent.call("upsert_lead", json!({"lead_id": lead, "protected_line": "patient_room"})).await;
    assert_eq!(marked["lead"]["protected_line"], "patient_room");
    let unmarked = agent.error("upsert_lead", json!({"lead_id": lead, "protected_line": "none"})).await;
    assert_eq!(unmarked["code"], "invalid_arguments");
    assert_eq!(agent.call("search_leads", json!({"text": "RIVER"})).await["leads"][0]["lead_id"], lead);
    assert_eq!(agent.call("get_lead", json!({"lead_id": lead})).await["status"], "contacted");
    let blocked = agent.error("initiate_call_with_compliance", json!({"lead_id": lead})).await;
    assert_eq!(blocked["code"], "compliance_blocked");
    assert_eq!(vendors.dials(), 0);
}

#[tokio::test]
async fn voice_agents_are_made_read_and_mended() {
    let (_vendors, _server, agent) = open_house(&[VENDOR_KEY]).await;
    let made = agent.call("elevenlabs_create_agent", json!({"name": "Follow-up", "prompt": "Be brief."})).await;
    assert_eq!(made["ready_for_calls"], true, "{made}");
    let its_id = id(&made, "agent_id");
    let update = json!({"agent_id": its_id, "prompt": "Be very brief.", "make_ready": true});
    assert_eq!(agent.call("elevenlabs_update_agent", update).await["prompt"], "Be very brief.");
    let read = agent.call("elevenlabs_get_agent", json!({"agent_id": its_id})).await;
    assert_eq!(read["prompt"], "Be very brief.");
    let listed = agent.call("elevenlabs_list_agents", json!({})).await;
    assert!(listed["agents"].as_array().unwrap().iter().any(|agent| agent["agent_id"] == its_id), "{listed}");
    let voices = agent.call("elevenlabs_list_voices", json!({"limit": 1})).await;
    let voice = id(&voices["voices"][0], "voice_id");
    assert_eq!(agent.call("elevenlabs_get_voice", json!({"voice_id": voice})).await["voice_id"], voice);
    let nobody = agent.error("elevenlabs_get_agent", json!({"agent_id": "agent_nobody"})).await;
    assert_eq!(nobody["code"], "not_found", "{nobody}");
}

#[tokio::test]
async fn a_model_is_told_all_that_is_wrong_at_once() {
    let (_vendors, _server, agent) = open_house(&[]).await;
    let wrong = json!({"to": "3055550142", "purpose": "sales", "dry_run": "yes", "too": 1});
    let error = agent.error("initiate_call_with_compliance", wrong).await;
    assert_eq!(error["code"], "invalid_arguments");
    let problems = error["details"]["problems"].as_array().unwrap();
    let fields: BTreeSet<_> = problems.iter().map(|problem| problem["field"].as_str().unwrap()).collect();
    assert_eq!(fields, BTreeSet::from(["to", "purpose", "dry_run", "too"]));
    assert!(!error.to_string().contains("5550142"), "no number comes back: {error}");
    assert_eq!(agent.error("initiate_call_with_compliance", json!({})).await["code"], "invalid_arguments");
    let unknown = agent.send("tools/call", json!({"name": "initiate_call", "arguments": {}})).await;
    assert_eq!(unknown.body["error"]["code"], -32602);
    assert!(unknown.body["error"]["message"].as_str().unwrap().contains("initiate_call_with_compliance"));
    let nowhere = format!("call_{}", "0".repeat(32));
    let gone = agent.error("get_call_status", json!({"call_id": nowhere})).await;
    assert_eq!((&gone["code"], &gone["next_tools"][0]), (&json!("call_not_found"), &json!("list_active_calls")));
    let missing = agent.send("resources/read", json!({"uri": format!("call://{nowhere}")})).await;
    assert_eq!(missing.body["error"]["code"], -32602, "{}", missing.body);
}

#[tokio::test]
async fn giving_up_a_wait_leaves_the_call_alone() {
    let (vendors, server, agent) = open_house(&[]).await;
    let call = server.api.call_of(&vendors.ring("silent").await).await;
    server.api.conversing(&call, 1).await;
    let wait =
        agent.send("tools/call", json!({"name": "wait_for_call", "arguments": {"call_id": call, "timeout_secs": 50}}));
    // The client goes away in the middle.
    assert!(tokio::time::timeout(std::time::Duration::from_millis(300), wait).await.is_err());
    let looked = agent.call("wait_for_call", json!({"call_id": call, "timeout_secs": 0})).await;
    assert_eq!((&looked["call"]["state"], &looked["timed_out"]), (&json!("in_progress"), &json!(true)), "{looked}");
    agent.call("end_call", json!({"call_id": call})).await;
    server.api.ended(&call).await;
}

#[tokio::test]
async fn a_wait_as_a_task_outlives_a_restart() {
    let (vendors, mut server, agent) = open_house(&[]).await;
    vendors.seat(SELLER, "echo").await;
    let tasks = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
    let key = server.settings().create_key_with("admin", &["calls:emergency"]).0;
    let able = Client::new(&server.base, &key).able_to(tasks.clone());
    let placed = agent.call("initiate_call_with_compliance", json!({"to": SELLER, "purpose": "emergency"})).await;
    let call = id(&placed, "call_id");
    let task = able.result("wait_for_call", json!({"call_id": call})).await;
    assert_eq!((&task["resultType"], &task["status"]), (&json!("task"), &json!("working")), "{task}");
    let task = id(&task, "taskId");
    let look = json!({"taskId": task});
    assert_eq!(able.send("tasks/get", look.clone()).await.body["result"]["status"], "working");
    let plain = agent.send("tasks/get", look.clone()).await;
    assert_eq!(plain.body["error"]["code"], -32021, "whoever does not know tasks is told so: {}", plain.body);
    let other = server.settings().command().args(["keys", "create", "another", "--role", "viewer"]).output().unwrap();
    let other = String::from_utf8(other.stdout).unwrap().lines().next().unwrap().to_owned();
    let other = Client::new(&server.base, &other).able_to(tasks.clone());
    assert_eq!(other.send("tasks/get", look.clone()).await.body["error"]["code"], -32602);

    server.api.conversing(&call, 1).await;
    server.kill();
    server.start_again().await;
    vendors.lead_to(&server.base).await;
    let able = Client::new(&server.base, &key).able_to(tasks);
    able.call("end_call", json!({"call_id": call})).await;
    server.api.ended(&call).await;
    let done = able.send("tasks/get", look.clone()).await.body;
    assert_eq!(done["result"]["status"], "completed", "{done}");
    assert_eq!(done["result"]["result"]["structuredContent"]["reached"], true, "{done}");
    let store = Store::open(&server.settings().value("STORE__URL"), &TaskTracker::new()).await.unwrap();
    let shown = store.list_audit(50).await.unwrap().into_iter().find(|entry| entry.action == "tasks/get").unwrap();
    assert_eq!(shown.outcome, AuditOutcome::ReadNumbers, "the record in a task's result holds numbers");
    assert_eq!(able.send("tasks/cancel", look.clone()).await.status, 200);
    assert_eq!(able.send("tasks/get", look).await.body["result"]["status"], "cancelled");
}

#[tokio::test]
async fn a_dial_waits_for_a_persons_word_where_the_operator_wants_it() {
    let (vendors, server, agent) = open_house(&[("MCP__CONFIRM_DIALS", "always")]).await;
    let call = json!({"to": SELLER, "purpose": "emergency"});
    let asked = agent.error("initiate_call_with_compliance", call.clone()).await;
    assert_eq!(asked["code"], "confirmation_required");
    let with_token =
        |to: &str| json!({"to": to, "purpose": "emergency", "confirm_token": asked["details"]["confirm_token"]});
    let other = agent.error("initiate_call_with_compliance", with_token("+12125550114")).await;
    assert_eq!(other["code"], "confirmation_invalid", "a token is for one call");
    assert_eq!(vendors.dials(), 0);
    agent.call("initiate_call_with_compliance", with_token(SELLER)).await;
    assert_eq!(agent.error("initiate_call_with_compliance", with_token(SELLER)).await["code"], "confirmation_invalid");

    // A lead that has another number by the time of the answer is another call.
    let lead = agent.call("upsert_lead", json!({"number": "+12125550115"})).await["lead"]["lead_id"].clone();
    let mut to_lead = json!({"lead_id": lead, "purpose": "emergency"});
    let asked = agent.error("initiate_call_with_compliance", to_lead.clone()).await;
    agent.call("upsert_lead", json!({"lead_id": lead, "number": "+12125550116"})).await;
    to_lead["confirm_token"] = asked["details"]["confirm_token"].clone();
    assert_eq!(agent.error("initiate_call_with_compliance", to_lead).await["code"], "confirmation_invalid");

    let key = server.settings().create_key_with("admin", &["calls:emergency"]).0;
    let able = Client::new(&server.base, &key).able_to(json!({"elicitation": {"form": {}}}));
    let question = able.result("initiate_call_with_compliance", call.clone()).await;
    assert_eq!(question["resultType"], "input_required", "{question}");
    let shown = question["inputRequests"]["place_call"]["params"]["message"].as_str().unwrap();
    assert!(shown.contains("+1212•••0113"), "{shown}");
    let answer = |agrees: Value| {
        let params = json!({"name": "initiate_call_with_compliance", "arguments": call,
            "requestState": question["requestState"], "inputResponses": {"place_call": agrees}});
        able.send("tools/call", params)
    };
    let no = answer(json!({"action": "decline"})).await.body["result"].clone();
    assert_eq!(no["isError"], true, "{no}");
    assert!(no["content"][0]["text"].as_str().unwrap().contains("declined"));
    let late = answer(json!({"action": "accept", "content": {"place_call": true}})).await.body["result"].clone();
    assert_eq!(late["resultType"], "input_required", "an answer counts once: {late}");
}

#[tokio::test]
async fn a_transfer_to_an_outside_number_is_a_dial_too() {
    let own = [("MCP__CONFIRM_DIALS", "always"), ("LIMITS__DIALS_PER_MINUTE", "1")];
    let own = [&own[..], &[("TRANSFERS__TARGETS", "sales=+12125550140")]].concat();
    let (vendors, server, agent) = open_house(&own).await;
    let outside = "+12125550141";
    vendors.seat(outside, "busy after 100ms").await;
    vendors.seat("+12125550140", "busy after 100ms").await;
    let sid = vendors.ring("silent").await;
    let call = server.api.call_of(&sid).await;
    server.api.conversing(&call, 1).await;
    let transfer = json!({"call_id": call, "to": outside, "purpose": "emergency"});
    let confirmed = async || {
        let asked = agent.error("transfer_call", transfer.clone()).await;
        assert_eq!(
            (&asked["code"], &asked["next_tools"]),
            (&json!("confirmation_required"), &json!(["transfer_call"]))
        );
        assert!(!asked.to_string().contains("5550141"), "{asked}");
        let mut transfer = transfer.clone();
        transfer["confirm_token"] = asked["details"]["confirm_token"].clone();
        transfer
    };
    let mut elsewhere = confirmed().await;
    elsewhere["to"] = "+12125550142".into();
    assert_eq!(agent.error("transfer_call", elsewhere).await["code"], "confirmation_invalid");
    assert_eq!(agent.call("transfer_call", confirmed().await).await["transferring"], true);
    server.api.event_of(&call, "transfer_failed").await;
    server.api.conversing(&call, 2).await;
    assert_eq!(agent.error("transfer_call", confirmed().await).await["code"], "limit_reached");
    let colleague = agent.call("transfer_call", json!({"call_id": call, "colleague": "sales"})).await;
    assert_eq!(colleague["transferring"], true, "a colleague is no dial");
    server.api.conversing(&call, 3).await;
    vendors.end_at_carrier(&sid).await;
}

#[tokio::test]
async fn every_agent_that_is_set_up_is_offered() {
    let own = [
        ("AGENTS__DEFAULT", "elevenlabs:agent_echo | elevenlabs:agent_2"),
        ("AGENTS__ROUTES", "+12125550101=retell:agent_9,+12125550102=elevenlabs:agent_3"),
    ];
    let (_vendors, _server, agent) = open_house(&own).await;
    let asked = json!({"ref": {"type": "ref/prompt", "name": "place_compliant_call"},
        "argument": {"name": "agent", "value": "elevenlabs:"}});
    let offered = agent.send("completion/complete", asked).await.body["result"]["completion"]["values"].clone();
    assert_eq!(offered, json!(["elevenlabs:agent_echo", "elevenlabs:agent_2", "elevenlabs:agent_3"]));
}

#[tokio::test]
async fn a_call_is_held_muted_and_spoken_into_by_who_may_step_in() {
    let (vendors, server, operator) = open_house(&[VENDOR_KEY]).await;
    let sid = vendors.ring("silent").await;
    let call = server.api.call_of(&sid).await;
    server.api.conversing(&call, 1).await;
    let named = json!({"call_id": call});
    for (tool, event) in [
        ("hold_call", "held"),
        ("resume_call", "resumed"),
        ("mute_agent", "agent_muted"),
        ("unmute_agent", "agent_unmuted"),
    ] {
        assert_eq!(operator.call(tool, named.clone()).await["done"], true, "{tool}");
        assert_eq!(server.api.event_of(&call, event).await["by"]["door"], "mcp", "{tool}");
    }
    let spoken = operator.call("say_in_call", json!({"call_id": call, "text": "One moment, please."})).await;
    assert_eq!(spoken["sent"], true);
    assert_eq!(server.api.event_of(&call, "house_spoke").await["text"], "One moment, please.");
    let agent = Client::new(&server.base, &server.settings().create_key("agent").0);
    for tool in ["hold_call", "resume_call", "mute_agent", "unmute_agent", "say_in_call"] {
        let refused = agent.error(tool, json!({"call_id": call, "text": "No."})).await;
        assert_eq!(refused["code"], "missing_scope", "{tool}: {refused}");
    }
    vendors.end_at_carrier(&sid).await;
    server.api.ended(&call).await;
    assert_eq!(operator.error("hold_call", named).await["code"], "call_ended");
}

#[tokio::test]
async fn a_caller_says_what_is_done_if_a_machine_picks_up() {
    let (_vendors, server, agent) = open_house(&[]).await;
    let to = |more: Value| {
        let mut call = json!({"to": SELLER, "purpose": "emergency"});
        call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call
    };
    for wrong in [
        json!({"on_machine": "message"}),
        json!({"on_machine": "message", "machine_message": " "}),
        json!({"on_machine": "hang_up", "machine_message": "Call us."}),
        json!({"machine_message": "Call us."}),
        json!({"on_machine": "beep"}),
    ] {
        for tool in ["initiate_call_with_compliance", "twilio_make_call"] {
            assert_eq!(agent.error(tool, to(wrong.clone())).await["code"], "invalid_arguments", "{tool}: {wrong}");
        }
    }
    let message = to(json!({"on_machine": "message", "machine_message": "Please call us back."}));
    let placed = agent.call("initiate_call_with_compliance", message).await;
    let planned = server.api.event_of(&id(&placed, "call_id"), "machine_planned").await;
    assert_eq!(planned["plan"], json!({"do": "message", "text": "Please call us back."}));
}
