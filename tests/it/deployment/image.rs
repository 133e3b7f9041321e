//! Tests Dockerfile and .dockerignore.

use super::files::text;

/// Returns the instructions with their arguments; continued lines are joined.
fn instructions() -> Vec<(String, String)> {
    let joined = text("Dockerfile").replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.split_once(' ').unwrap_or((line, "")))
        .map(|(instruction, rest)| (instruction.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" ")))
        .collect()
}

fn all(instruction: &str) -> Vec<String> {
    instructions().into_iter().filter(|(name, _)| name == instruction).map(|(_, rest)| rest).collect()
}

/// Returns the arguments of an instruction that is written as a JSON list.
pub(super) fn exec(instruction: &str) -> Vec<String> {
    let found = all(instruction);
    let rest = found.last().unwrap_or_else(|| panic!("no {instruction}"));
    let at = rest.find('[').unwrap_or_else(|| panic!("{instruction} is no list: a shell would not pass signals on"));
    serde_json::from_str(&rest[at..]).unwrap()
}

#[test]
fn what_runs_holds_no_compiler_and_is_not_root() {
    let from = all("FROM");
    assert_eq!(from.len(), 2, "one stage builds, one runs");
    assert!(from[0].starts_with("rust:") && from[0].ends_with(" AS build"), "{}", from[0]);
    assert!(from[1].contains("-slim"), "{}", from[1]);
    for image in &from {
        let tag = image.split(' ').next().unwrap().split_once(':').expect("a tag").1;
        assert!(tag.contains('.') && tag != "latest", "{image} is not pinned");
    }
    let user = all("USER");
    assert_eq!(user.last().map(String::as_str), Some("10001:10001"), "a number, so that Kubernetes can tell");
    assert!(all("COPY").iter().all(|copy| !copy.contains("config")), "settings are built in, the manifest is mounted");
}

#[test]
fn the_image_is_built_of_the_locked_sources_alone() {
    let run = all("RUN").join("\n");
    assert_eq!(run.matches("cargo build --locked --profile dist").count(), 2, "both programs");
    let ignored = text(".dockerignore");
    let lines: Vec<&str> = ignored.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines.first(), Some(&"*"), "nothing but what is named");
    for needed in ["Cargo.toml", "Cargo.lock", "src", "actors", "loadtest", "migrations", "config/*.toml", "LICENSE"] {
        assert!(lines.contains(&format!("!{needed}").as_str()), "{needed} is missing");
    }
    assert!(lines.contains(&"config/fleet.toml"), "the operator's own manifest stays out");
}

#[test]
fn the_compiler_of_the_image_is_no_older_than_the_crates_need() {
    let cargo: toml::Table = text("Cargo.toml").parse().unwrap();
    let needed = cargo["workspace"]["package"]["rust-version"].as_str().unwrap().to_owned();
    assert!(all("FROM")[0].starts_with(&format!("rust:{needed}.")), "{needed}");
}

#[test]
fn the_programs_of_the_image_are_those_of_the_workspace() {
    assert_eq!(exec("ENTRYPOINT"), ["/usr/local/bin/botfleet"]);
    assert_eq!(exec("HEALTHCHECK"), ["/usr/local/bin/botfleet", "health", "--ready"]);
    assert!(text("Cargo.toml").contains("name = \"botfleet\"\npath = \"src/main.rs\""));
    assert!(text("loadtest/Cargo.toml").contains("name = \"botfleet-loadtest\"\npath = \"src/main.rs\""));
}
