//! `GET /api/openapi.json`: the API described for programs (`OpenAPI` 3.1). It is written by hand; the tests here hold its paths to the
//! routes, and `tests/interop` holds real answers to its schemas.

use axum::response::{IntoResponse, Response};
use http::header;

const DOCUMENT: &str = include_str!("openapi.json");

/// Whoever may come as far as this may read what there is; it tells nothing of anybody.
pub(super) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::domain::access::Scope;

    fn read() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    /// Every operation as `get /path`, with its description.
    fn operations(document: &Value) -> Vec<(String, &Value)> {
        let paths = document["paths"].as_object().unwrap().iter();
        paths
            .flat_map(|(path, item)| {
                item.as_object().unwrap().iter().map(move |(method, it)| (format!("{method} {path}"), it))
            })
            .collect()
    }

    /// The same of the router, which cannot list its routes: read from its source.
    fn routes() -> BTreeSet<String> {
        let source = include_str!("mod.rs").split("    Router::new()").nth(1).unwrap().split(".layer(").next().unwrap();
        let mut routes = BTreeSet::new();
        for route in source.split(".route(").skip(1) {
            let (path, handlers) = route.split_once('"').unwrap().1.split_once('"').unwrap();
            for method in ["get", "post", "put", "patch", "delete"] {
                let is_handled = [" ", "."].iter().any(|before| handlers.contains(&format!("{before}{method}(")));
                if is_handled {
                    routes.insert(format!("{method} {path}"));
                }
            }
        }
        routes
    }

    fn each<'a>(value: &'a Value, see: &mut impl FnMut(&'a Value)) {
        see(value);
        match value {
            Value::Object(members) => members.values().for_each(|member| each(member, see)),
            Value::Array(items) => items.iter().for_each(|item| each(item, see)),
            _ => {}
        }
    }

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let document = read();
        let described: BTreeSet<_> = operations(&document).into_iter().map(|(name, _)| name).collect();
        let routes = routes();
        assert!(routes.len() > 30 && routes.contains("get /api/v1/calls"), "the routes were not found: {routes:?}");
        assert_eq!(described, routes);
    }

    #[test]
    fn references_lead_somewhere_and_operations_have_names_of_their_own() {
        let document = read();
        let mut references = 0;
        each(&document, &mut |value| {
            if let Some(reference) = value["$ref"].as_str() {
                references += 1;
                assert!(document.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
            }
        });
        assert!(references > 100, "{references}");
        let operations = operations(&document);
        let ids: BTreeSet<_> = operations.iter().map(|(_, it)| it["operationId"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), operations.len());
    }

    #[test]
    fn what_is_named_is_there() {
        let document = read();
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        for (name, operation) in operations(&document) {
            let alternatives = operation["security"].as_array().unwrap();
            let is_open = name == "get /api/openapi.json";
            assert_eq!(alternatives.is_empty(), is_open, "{name}");
            for scope in alternatives.iter().flat_map(|way| way.as_object().unwrap().values()) {
                each(scope, &mut |scope| {
                    assert!(scope.as_str().is_none_or(|scope| scope.parse::<Scope>().is_ok()), "{name}: {scope}");
                });
            }
            let in_path = name.matches('{').count();
            let mut told = operation["parameters"].as_array().into_iter().flatten().map(|parameter| {
                let reference = parameter["$ref"].as_str().map(|reference| &reference[1..]);
                reference.map_or(parameter, |at| document.pointer(at).unwrap())
            });
            assert_eq!(told.by_ref().filter(|parameter| parameter["in"] == "path").count(), in_path, "{name}");
        }
    }
}
