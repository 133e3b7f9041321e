//! The reference of the API for people, docs/API.md, made of the list of routes. Layer `api`.

use std::fmt::Write as _;

use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::answer::Answer;
use super::list::{Visitor, each};
use super::openapi::{COMMON, resource};
use super::route::{Need, Route};
use crate::operate::failure::Code;
use crate::operate::permission::{ALL, Permission};
use crate::operate::principal::Role;

/// Makes the page.
pub fn markdown() -> String {
    let mut text = String::from(
        "# The HTTP API\n\n\
         Made from the code; `docs/openapi.json` is the same for machines. A node serves it at `server.listen`, and this page\n\
         at `/docs`. Bodies and answers are JSON, refusals `application/problem+json` with a stable `code`.\n\n\
         Each POST takes `Idempotency-Key`, of 1 to 128 visible characters of ASCII. Within 24 hours a request is carried out\n\
         once: a repeat, also after a restart and on another node, gets the first answer again, with `Idempotent-Replayed: true`.\n\
         A GET that answers with `ETag` takes `If-None-Match`, and answers 304 to whoever has that version.\n",
    );
    let mut routes = Routes::default();
    each(&mut routes);
    text.push_str("\n## Routes\n\n| route | what it does | permission |\n|---|---|---|\n");
    text.push_str(&routes.table);
    text.push_str(&routes.text);
    text.push_str("\n## Permissions\n\n| permission | stranger | viewer | operator | admin | allows |\n|---|---|---|---|---|---|\n");
    for (name, least, allows) in ALL {
        let has = |role: Role| if role >= *least { role.as_str() } else { "" };
        let [stranger, viewer, operator, admin] = Role::ALL.map(has);
        let _ = writeln!(text, "| `{name}` | {stranger} | {viewer} | {operator} | {admin} | {allows} |");
    }
    text.push_str("\n## Codes\n\n| code | status | what to do |\n|---|---|---|\n");
    for code in Code::ALL {
        let _ = writeln!(text, "| `{code}` | {} | {} |", code.status(), code.remedy());
    }
    let every: Vec<String> = COMMON.iter().map(|code| format!("`{code}`")).collect();
    let _ = writeln!(text, "\nEvery route may answer {}.", every.join(", "));
    text
}

#[derive(Default)]
struct Routes {
    table: String,
    text: String,
    resource: &'static str,
}

impl Visitor for Routes {
    fn visit<R: Route>(&mut self) {
        let (method, path, permission) = (R::METHOD.as_str(), R::PATH, <R::Permission as Permission>::NAME);
        // Writing to a String cannot fail.
        let _ = writeln!(self.table, "| [`{method} {path}`](#{}) | {} | `{permission}` |", R::NAME, R::SUMMARY);
        if resource(path) != self.resource {
            self.resource = resource(path);
            let _ = writeln!(self.text, "\n## {}", self.resource);
        }
        let _ = writeln!(self.text, "\n### {}\n\n`{method} {path}`: {}", R::NAME, R::SUMMARY);
        if !R::MORE.is_empty() {
            let _ = writeln!(self.text, "{}", R::MORE);
        }
        for deprecation in R::DEPRECATED {
            let _ = writeln!(self.text, "{}", deprecation.told());
        }
        let names = <R::Path as IntoParams>::into_params(|| Some(ParameterIn::Path));
        let filters = <R::Query as IntoParams>::into_params(|| Some(ParameterIn::Query));
        let mut told = String::new();
        for Parameter { name, parameter_in, description, .. } in names.into_iter().chain(filters) {
            let place = if parameter_in == ParameterIn::Path { "path" } else { "query" };
            let description = description.unwrap_or_default();
            let _ = writeln!(told, "| `{name}` | {place} | {} |", description.replace('\n', " "));
        }
        if !told.is_empty() {
            let _ = write!(self.text, "\n| parameter | in | meaning |\n|---|---|---|\n{told}");
        }
        let form = <R::Answer as Answer>::FORM.media_type();
        let _ = writeln!(self.text, "\n```text\n{method} {}", R::EXAMPLE.address);
        if !R::EXAMPLE.body.is_empty() {
            let _ = writeln!(self.text, "{}", R::EXAMPLE.body);
        }
        let _ = writeln!(self.text, "\n200 {form}\n{}\n```", R::EXAMPLE.answer);
        if <R::Answer as Answer>::MAY_WAIT {
            let _ = writeln!(self.text, "\nOr 202, with the order that is under way and its path in `Location`.");
        }
        if R::IDEMPOTENCY == Need::Required {
            let _ = writeln!(self.text, "\nNeeds `Idempotency-Key`, except through the local socket.");
        }
        let own: Vec<String> = R::PROBLEMS.iter().map(|code| format!("`{code}`")).collect();
        let problems = if own.is_empty() { String::new() } else { format!(" Problems: {}.", own.join(", ")) };
        let _ = writeln!(self.text, "\nTakes `{permission}`.{problems}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::deprecation::tests::Old;

    #[test]
    fn people_read_what_will_go_and_what_comes_in_its_place() {
        let mut routes = Routes::default();
        routes.visit::<Old>();
        assert!(routes.text.contains("Deprecated since 2026-12-01"), "{}", routes.text);
        assert!(routes.text.contains("`weight` is deprecated since 2026-12-01"), "{}", routes.text);
    }
}
