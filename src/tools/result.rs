//! A tool's result as a text for the agent.

use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock, ResourceContents};

use super::ToolFailure;

/// The most of a result that an agent is told, in characters: some pages, more than anybody says on the phone.
const RESULT_MAX: usize = 8_000;

/// For images, sounds and files.
const WORDLESS: &str = "(Something that cannot be told in words.)";

/// Reads what came. Where a result is structured its text is the same once more (the specification asks for that); where there is
/// no text the structure is told.
pub(super) fn read(tool: &str, response: CallToolResponse) -> Result<String, ToolFailure> {
    match response {
        CallToolResponse::Complete(result) => {
            let is_error = result.is_error == Some(true);
            let text = text_of(result);
            if is_error { Err(ToolFailure::Refused(text)) } else { Ok(text) }
        }
        CallToolResponse::InputRequired(_) => Err(ToolFailure::Asks { tool: tool.to_owned() }),
        _ => Err(ToolFailure::Refused(format!("The tool {tool} answers later, which a call cannot wait for."))),
    }
}

fn text_of(result: CallToolResult) -> String {
    let texts: Vec<_> = result.content.iter().filter_map(text_of_block).collect();
    let text = match (texts.is_empty(), result.structured_content) {
        (true, Some(structure)) => structure.to_string(),
        (true, None) => "Done.".to_owned(),
        (false, _) => texts.join("\n"),
    };
    match text.char_indices().nth(RESULT_MAX) {
        None => text,
        Some((end, _)) => format!("{} (The rest is left out: it is too long.)", &text[..end]),
    }
}

fn text_of_block(block: &ContentBlock) -> Option<String> {
    match block {
        ContentBlock::Text(text) => Some(text.text.clone()).filter(|text| !text.is_empty()),
        ContentBlock::Resource(embedded) => match &embedded.resource {
            ResourceContents::TextResourceContents { text, .. } => Some(text.clone()),
            _ => Some(WORDLESS.to_owned()),
        },
        ContentBlock::ResourceLink(link) => Some(format!("(See {}.)", link.name)),
        _ => Some(WORDLESS.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::{CallToolResult, ContentBlock};
    use serde_json::json;

    use super::*;

    fn told(result: CallToolResult) -> Result<String, ToolFailure> {
        read("find", CallToolResponse::Complete(result))
    }

    #[test]
    fn texts_are_told_and_a_structure_where_there_are_none() {
        let two = vec![ContentBlock::text("one"), ContentBlock::text(""), ContentBlock::text("two")];
        assert_eq!(told(CallToolResult::success(two)), Ok("one\ntwo".to_owned()));
        let mut structured = CallToolResult::success(vec![]);
        structured.structured_content = Some(json!({"at": 10}));
        assert_eq!(told(structured), Ok(r#"{"at":10}"#.to_owned()));
        assert_eq!(told(CallToolResult::success(vec![])), Ok("Done.".to_owned()));
        let image = ContentBlock::image("AAAA", "image/png");
        assert!(told(CallToolResult::success(vec![image])).unwrap().contains("cannot be told"));
        let no = CallToolResult::error(vec![ContentBlock::text("no such day")]);
        assert_eq!(told(no), Err(ToolFailure::Refused("no such day".to_owned())));
    }

    #[test]
    fn a_result_has_an_end() {
        let long = "ä".repeat(RESULT_MAX + 1);
        let told = told(CallToolResult::success(vec![ContentBlock::text(long)])).unwrap();
        assert!(told.ends_with("too long.)") && told.chars().filter(|char| *char == 'ä').count() == RESULT_MAX);
    }
}
