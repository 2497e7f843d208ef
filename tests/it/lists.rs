//! Lists of the API: in pages, with filters, live calls like past ones.

use serde_json::{Value, json};

use super::server::Server;
use super::vendors::Vendors;
use super::{OFFICE, SELLER, VISITOR};

fn ids(page: &Value) -> Vec<&str> {
    page["calls"].as_array().unwrap().iter().map(|call| call["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn live_calls_come_in_pages_and_through_filters_like_past_ones() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let mut calls = Vec::new();
    for _ in 0..4 {
        let sid = vendors.ring("silent").await;
        calls.push((server.api.call_of(&sid).await, sid));
    }
    vendors.end_at_carrier(&calls[1].1).await;
    server.api.ended(&calls[1].0).await;
    let live = [&calls[3].0, &calls[2].0, &calls[0].0];

    let list = async |query: &str| server.api.get(&format!("/api/v1/calls?state=live{query}")).await.body;
    let all = list("").await;
    assert_eq!((ids(&all), &all["next_cursor"]), (live.map(String::as_str).to_vec(), &Value::Null));
    let first = list("&limit=2").await;
    assert_eq!(ids(&first), live[..2]);
    let rest = list(&format!("&limit=2&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!((ids(&rest), &rest["next_cursor"]), (vec![live[2].as_str()], &Value::Null));
    let (visitor, office) = (VISITOR.replace('+', "%2B"), OFFICE.replace('+', "%2B"));
    for (filter, found) in [
        ("&direction=inbound".to_owned(), 3),
        ("&direction=outbound".to_owned(), 0),
        (format!("&number={visitor}"), 3),
        (format!("&number={office}"), 3),
        ("&number=%2B12125550114".to_owned(), 0),
        ("&agent=elevenlabs:agent_echo".to_owned(), 3),
        ("&agent=elevenlabs:agent_reception".to_owned(), 0),
    ] {
        assert_eq!(ids(&list(&filter).await).len(), found, "{filter}");
    }
    let past = server.api.get("/api/v1/calls?state=ended").await.body;
    assert_eq!(ids(&past), [calls[1].0.as_str()]);
    for wrong in ["&cursor=nonsense", "&direction=sideways"] {
        let answer = server.api.get(&format!("/api/v1/calls?state=live{wrong}")).await;
        assert_eq!((answer.status, answer.content_type.as_str()), (400, "application/problem+json"), "{wrong}");
    }
    assert_eq!(server.api.get("/api/v1/calls?state=lively").await.body["status"], json!(400));
}

#[tokio::test]
async fn calls_are_found_by_how_they_ended_behind_pages_of_others() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let mut refused = Vec::new();
    for _ in 0..3 {
        let answer = server.api.post("/api/v1/calls", &json!({"to": SELLER})).await;
        assert_eq!(answer.status, 403, "{}", answer.body);
        refused.insert(0, answer.body["call_id"].as_str().unwrap().to_owned());
        let sid = vendors.ring("silent").await;
        let call = server.api.call_of(&sid).await;
        vendors.end_at_carrier(&sid).await;
        server.api.ended(&call).await;
    }
    let list = async |query: &str| server.api.get(&format!("/api/v1/calls?{query}")).await.body;
    let first = list("disposition=blocked&limit=2").await;
    assert_eq!(ids(&first), refused[..2]);
    let rest = list(&format!("disposition=blocked&limit=2&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!((ids(&rest), &rest["next_cursor"]), (vec![refused[2].as_str()], &Value::Null));
    for (filter, found) in [
        ("disposition=completed", 3),
        ("disposition=blocked&direction=inbound", 0),
        ("disposition=blocked&direction=outbound&state=ended", 3),
        ("disposition=busy", 0),
    ] {
        assert_eq!(ids(&list(filter).await).len(), found, "{filter}");
    }
    assert_eq!(server.api.get("/api/v1/calls?disposition=lost").await.status, 400);
}

#[tokio::test]
async fn the_live_page_is_told_nothing_that_is_empty() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    let call = server.api.call_of(&vendors.ring("silent").await).await;
    server.api.conversing(&call, 1).await;
    let state = server.api.get("/console/data/live").await.body;
    let row = state["calls"][0].as_object().unwrap();
    let mut names: Vec<&str> = row.keys().map(String::as_str).collect();
    names.sort_unstable();
    let shown = ["agent", "answered_at", "call_sid", "created_at", "direction", "from", "id", "state", "to"];
    assert_eq!((names, &row["id"]), (shown.to_vec(), &json!(call)));
}
