//! Tests the shipped scenario files.

use std::path::Path;

use botfleet_world::scenario::Scenario;

#[test]
fn every_shipped_scenario_is_sound() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/faults");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let scenario = Scenario::read(&entry.unwrap().path()).unwrap();
        assert!(!scenario.name.is_empty());
        read += 1;
    }
    assert!(read >= 2);
}

#[test]
fn a_file_that_is_missing_is_named() {
    let error = Scenario::read(Path::new("nowhere.toml")).unwrap_err();
    assert!(error.to_string().starts_with("cannot read nowhere.toml"), "{error}");
}
