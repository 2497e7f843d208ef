//! All tools, in one order that never changes, so that clients' caches of the list hold.

use std::collections::HashMap;

use rmcp::model::Tool;

use super::args::nearest;
use super::principal::Principal;
use super::tool::ToolSpec;
use super::tools;

const TOOLS: &[&ToolSpec] = &[
    &tools::initiate_call_with_compliance::TOOL,
    &tools::get_call_status::TOOL,
    &tools::wait_for_call::TOOL,
    &tools::get_call_transcript::TOOL,
    &tools::end_call::TOOL,
    &tools::list_active_calls::TOOL,
    &tools::get_call_history::TOOL,
    &tools::send_message_to_agent::TOOL,
    &tools::send_dtmf::TOOL,
    &tools::transfer_call::TOOL,
    &tools::hold_call::TOOL,
    &tools::resume_call::TOOL,
    &tools::mute_agent::TOOL,
    &tools::unmute_agent::TOOL,
    &tools::say_in_call::TOOL,
    &tools::check_tcpa_compliance::TOOL,
    &tools::verify_consent::TOOL,
    &tools::check_dnc_status::TOOL,
    &tools::record_consent::TOOL,
    &tools::revoke_consent::TOOL,
    &tools::add_to_dnc::TOOL,
    &tools::upsert_lead::TOOL,
    &tools::get_lead::TOOL,
    &tools::search_leads::TOOL,
    &tools::elevenlabs_list_agents::TOOL,
    &tools::elevenlabs_get_agent::TOOL,
    &tools::elevenlabs_create_agent::TOOL,
    &tools::elevenlabs_update_agent::TOOL,
    &tools::elevenlabs_list_voices::TOOL,
    &tools::elevenlabs_get_voice::TOOL,
    &tools::twilio_make_call::TOOL,
    &tools::twilio_get_call::TOOL,
    &tools::twilio_end_call::TOOL,
    &tools::twilio_record_call::TOOL,
];

/// The tools and how clients see them, made once.
#[derive(Default)]
pub(super) struct Catalog {
    listed: Vec<Tool>,
    by_name: HashMap<&'static str, usize>,
}

impl Catalog {
    pub(super) fn new() -> Self {
        let listed = TOOLS.iter().map(|tool| tool.listed()).collect();
        let by_name = TOOLS.iter().enumerate().map(|(place, tool)| (tool.name, place)).collect();
        Self { listed, by_name }
    }

    pub(super) fn find(&self, name: &str) -> Option<&'static ToolSpec> {
        self.by_name.get(name).map(|place| TOOLS[*place])
    }

    /// As clients see it, whoever asks.
    pub(super) fn listed(&self, name: &str) -> Option<&Tool> {
        self.by_name.get(name).map(|place| &self.listed[*place])
    }

    /// The tools that this principal may use.
    pub(super) fn listed_for(&self, principal: &Principal) -> Vec<Tool> {
        let usable = TOOLS.iter().zip(&self.listed).filter(|(tool, _)| tool.may_be_used_by(principal));
        usable.map(|(_, listed)| listed.clone()).collect()
    }

    /// The name that was probably meant.
    pub(super) fn nearest(name: &str) -> Option<&'static str> {
        nearest(name, TOOLS.iter().map(|tool| tool.name))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    const OWNERS: [&str; 18] = [
        "initiate_call_with_compliance",
        "get_call_status",
        "end_call",
        "get_call_history",
        "list_active_calls",
        "twilio_make_call",
        "twilio_get_call",
        "twilio_end_call",
        "twilio_record_call",
        "elevenlabs_create_agent",
        "elevenlabs_update_agent",
        "elevenlabs_get_agent",
        "elevenlabs_list_agents",
        "elevenlabs_list_voices",
        "elevenlabs_get_voice",
        "check_tcpa_compliance",
        "verify_consent",
        "check_dnc_status",
    ];

    /// Every schema within a schema.
    fn each(schema: &Value, visit: &mut impl FnMut(&Value)) {
        visit(schema);
        for member in schema["properties"].as_object().into_iter().flat_map(|members| members.values()) {
            each(member, visit);
        }
        if schema["items"].is_object() {
            each(&schema["items"], visit);
        }
    }

    #[test]
    fn every_tool_is_complete_and_portable() {
        let catalog = Catalog::new();
        let names: BTreeSet<_> = TOOLS.iter().map(|tool| tool.name).collect();
        assert_eq!(names.len(), TOOLS.len(), "names are unique");
        for name in OWNERS {
            assert!(names.contains(name), "{name}");
        }
        for (spec, tool) in TOOLS.iter().zip(&catalog.listed) {
            let name = spec.name;
            assert!(name.len() <= 64 && name.bytes().all(|c| c.is_ascii_lowercase() || c == b'_'), "{name}");
            let annotations = tool.annotations.as_ref().unwrap();
            let hints = [
                annotations.read_only_hint,
                annotations.destructive_hint,
                annotations.idempotent_hint,
                annotations.open_world_hint,
            ];
            assert!(hints.iter().all(Option::is_some), "{name} spells all four hints out");
            assert!(annotations.read_only_hint != annotations.destructive_hint || !spec.hints.read_only, "{name}");
            let description = tool.description.as_deref().unwrap();
            assert!((40..=600).contains(&description.len()), "{name}: {} characters", description.len());
            assert!(tool.title.as_deref().is_some_and(|title| title.len() <= 60), "{name}");
            assert!(!spec.scopes.is_empty(), "{name} needs a scope");
            for field in spec.fields {
                assert!(field.description.len() > 5, "{name}.{} is described", field.name);
            }
            let output = Value::Object((**tool.output_schema.as_ref().unwrap()).clone());
            for schema in [&tool.schema_as_json_value(), &output] {
                each(schema, &mut |schema| {
                    assert!(schema["type"].is_string(), "{name}: one type each: {schema}");
                    assert!(schema["format"].is_null() || schema["format"] == "date-time", "{name}: {schema}");
                    assert!(schema["$ref"].is_null() && schema["$defs"].is_null(), "{name}: inlined");
                });
                assert_eq!(schema["type"], "object", "{name}");
            }
        }
    }

    #[test]
    fn the_schemas_of_all_tools() {
        let listed = serde_json::to_value(&Catalog::new().listed).unwrap();
        insta::assert_json_snapshot!(listed);
    }

    #[test]
    fn the_list_is_made_once_and_handed_out() {
        // rmcp's own router is made anew with each call, which costs more than most calls.
        let catalog = Catalog::new();
        for (tool, kept) in TOOLS.iter().zip(&catalog.listed) {
            let listed = catalog.listed(tool.name).unwrap().clone();
            assert!(std::sync::Arc::ptr_eq(&listed.input_schema, &kept.input_schema), "{}", tool.name);
            let (given, own) = (listed.output_schema.unwrap(), kept.output_schema.clone().unwrap());
            assert!(std::sync::Arc::ptr_eq(&given, &own), "{}", tool.name);
        }
    }

    #[test]
    fn a_misspelt_tool_is_guessed() {
        assert_eq!(Catalog::nearest("initiate_call"), Some("initiate_call_with_compliance"));
        assert_eq!(Catalog::nearest("get_status_call"), Some("get_call_status"));
        assert_eq!(Catalog::nearest("zzz"), None);
    }
}
