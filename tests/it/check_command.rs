//! Tests `botfleet check` as a person runs it.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::process::{Command, Output};

const ADA: &str = "7100000001:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc";
const BARAN: &str = "7100000002:BBEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc";

fn check(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_botfleet"));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR"))).env_clear();
    command.envs(variables.iter().copied()).arg("check").args(arguments).output().unwrap()
}

const SECRETS: [(&str, &str); 3] = [("ADA_TOKEN", ADA), ("BARAN_TOKEN", BARAN), ("OPENAI_API_KEY", "sk-hidden")];

#[test]
fn a_sound_manifest_is_shown_and_ends_with_0() {
    let output = check(&["--manifest", "config/fleet.example.toml"], &SECRETS);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    insta::assert_snapshot!(text);
}

#[test]
fn the_json_holds_the_plan_and_no_secret() {
    let output = check(&["--manifest", "config/fleet.example.toml", "--json"], &SECRETS);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["bots"][0]["name"], "Ada");
    assert_eq!(json["providers"][0]["has_key"], true);
    let all = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    for secret in [&ADA[11..], &BARAN[11..], "sk-hidden"] {
        assert!(!all.contains(secret), "{all}");
    }
}

#[test]
fn faults_of_settings_and_manifest_are_told_together_and_end_with_2() {
    let mut variables = SECRETS[1..].to_vec();
    variables.push(("BOTFLEET__BOTS__POLL_TIMEOUT", "2h"));
    let output = check(&["--manifest", "config/fleet.example.toml", "--listen", "0.0.0.0:80"], &variables);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(output.stdout.is_empty());
    insta::assert_snapshot!(told);
}

#[test]
fn files_that_make_no_certificate_are_told_by_file_and_key_and_end_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (cert, key) = (path("tls.crt"), path("tls.key"));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let mut variables = SECRETS.to_vec();
    variables.extend([("BOTFLEET__SERVER__TLS__CERT", cert.as_str()), ("BOTFLEET__SERVER__TLS__KEY", key.as_str())]);
    let output = check(&["--manifest", "config/fleet.example.toml"], &variables);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    let expected = format!("error: {key}: server.tls.key: is not the key of {cert}\nhint: name certificate and key");
    assert!(told.starts_with(&expected), "{told}");
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let output = check(&["--manifest", "config/fleet.example.toml"], &variables);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("listens on 127.0.0.1:8080 by TLS"));
}

#[test]
fn a_missing_manifest_ends_with_2_and_a_hint() {
    let output = check(&["--manifest", "nowhere.toml"], &[]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(told.starts_with("error: nowhere.toml: cannot be read"), "{told}");
    assert!(told.contains("hint: copy config/fleet.example.toml"), "{told}");
}

#[test]
fn wrong_usage_ends_with_2() {
    assert_eq!(check(&["--colour"], &[]).status.code(), Some(2));
}
