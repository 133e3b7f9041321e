//! Tests settings and manifest, through the functions that the product uses.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use botfleet::config::fault::{Fault, Faults};
use botfleet::config::layers::{Profile, Sources};
use botfleet::config::manifest::{LoadedManifest, Manifest};
use botfleet::config::secret::{GivenSecrets, ProcessSecrets};
use botfleet::config::settings::Config;
use botfleet_actors::domain::allowance::BudgetOwner;
use botfleet_actors::domain::strategy::Strategy;
use secrecy::ExposeSecret;

const ADA: &str = "7100000001:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc";
const BARAN: &str = "7100000002:BBEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn shipped() -> Sources {
    Sources { folder: repository().join("config"), ..Sources::default() }
}

fn with_file(folder: &tempfile::TempDir, text: &str) -> Sources {
    let path = folder.path().join("mine.toml");
    fs::write(&path, text).unwrap();
    Sources { file: Some(path), ..shipped() }
}

fn headlines(faults: &Faults) -> Vec<String> {
    faults.0.iter().map(|fault| format!("{}: {}", fault.key, fault.what)).collect()
}

fn fault<'a>(faults: &'a Faults, key: &str) -> &'a Fault {
    faults.0.iter().find(|fault| fault.key == key).unwrap_or_else(|| panic!("no fault at {key} in\n{faults}"))
}

#[test]
fn the_default_file_equals_the_built_in_values() {
    let config = Config::load(&shipped()).unwrap();
    assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
}

#[test]
fn the_default_file_spells_every_key() {
    let text = fs::read_to_string(repository().join("config/default.toml")).unwrap();
    let spelled: toml::Table = text.parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let sections = [
        "",
        "server",
        "server.tls",
        "webhooks",
        "store",
        "redis",
        "cluster",
        "telegram",
        "fleet",
        "fleet.restart",
        "fleet.restart.backoff",
        "bots",
        "chats",
        "alerts",
        "log",
    ];
    for section in sections {
        // The refusal of an unknown key lists the known ones.
        let planted = if section.is_empty() { "zzz = 1".to_owned() } else { format!("[{section}]\nzzz = 1") };
        let faults = Config::load(&with_file(&folder, &planted)).unwrap_err();
        let known = faults.0[0].remedy.strip_prefix("known keys: ").unwrap_or_else(|| panic!("{faults}"));
        let table = section.split('.').filter(|part| !part.is_empty()).fold(&spelled, |table, part| {
            table.get(part).and_then(toml::Value::as_table).unwrap_or_else(|| panic!("[{section}] is not spelled"))
        });
        for key in known.split([',', ' ']).filter(|key| !key.is_empty() && *key != "or") {
            let commented = text.contains(&format!("\n# {key} = "));
            assert!(table.contains_key(key) || commented, "{section}.{key} is not spelled in default.toml");
        }
    }
}

#[test]
fn every_profile_is_sound_with_and_without_its_file() {
    for profile in [Profile::Development, Profile::Staging, Profile::Production] {
        let with_file = Config::load(&Sources { profile: Some(profile), ..shipped() }).unwrap();
        let built_in = Config::load(&Sources { profile: Some(profile), ..Sources::default() }).unwrap();
        assert_eq!(format!("{with_file:?}"), format!("{built_in:?}"));
    }
}

#[test]
fn a_later_layer_wins_key_by_key() {
    let folder = tempfile::tempdir().unwrap();
    let mut sources =
        with_file(&folder, "[log]\nlevel = \"warn\"\n[bots]\npoll_timeout = \"20s\"\nturns_in_flight = 3\n");
    sources.profile = Some(Profile::Production);
    sources.variables = vec![
        ("BOTFLEET__BOTS__POLL_TIMEOUT".into(), "10s".into()),
        ("BOTFLEET__SERVER__LISTEN".into(), "127.0.0.1:9000".into()),
        ("BOTFLEET__BOTS__SENDS_PER_SECOND".into(), "0".into()),
        ("UNRELATED".into(), "x".into()),
    ];
    sources.flags = vec![("--listen".into(), "server.listen".into(), "[::1]:0".into())];
    let config = Config::load(&sources).unwrap();
    assert_eq!(config.log.level, "warn", "file over profile");
    assert_eq!(config.fleet.ramp_per_minute.map(Into::into), Some(20_u32), "profile over default");
    assert_eq!(config.bots.poll_timeout, Duration::from_secs(10), "variable over file");
    assert_eq!(config.bots.turns_in_flight.get(), 3, "neighbours keep their value");
    assert_eq!(config.server.listen.to_string(), "[::1]:0", "flag over variable");
    assert_eq!(config.bots.sends_per_second, None, "0 lifts the limit");
}

#[test]
fn all_faults_are_told_at_once_with_their_source_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let mut sources = with_file(
        &folder,
        "[server]\nlisten = \"0.0.0.0:80\"\n[bots]\npoll_timeout = \"99s\"\nturns_in_flight = 0\ncolour = 1\n\
         [store]\nsynchronous = \"sometimes\"\n[log]\nlevel = \"botfleet=loud\"\n",
    );
    sources.variables = vec![("BOTFLEET__CHATS__WINDOW".into(), "5".into())];
    sources.flags = vec![("--listen".into(), "server.listen".into(), "nowhere".into())];
    let faults = Config::load(&sources).unwrap_err();
    for key in
        ["bots.turns_in_flight", "bots.colour", "store.synchronous", "server.listen", "log.level", "bots.poll_timeout"]
    {
        assert!(fault(&faults, key).source.ends_with("mine.toml"), "{faults}");
    }
    assert_eq!(fault(&faults, "chats.window").source, "BOTFLEET__CHATS__WINDOW");
    assert!(faults.0.iter().any(|fault| fault.source == "--listen"), "{faults}");
    assert!(fault(&faults, "server.listen").what.contains("everybody on the way"), "{faults}");
}

#[test]
fn the_receiver_of_webhooks_may_be_reached_from_elsewhere_but_telegram_needs_https() {
    let folder = tempfile::tempdir().unwrap();
    let read = |text: &str| Config::load(&with_file(&folder, &format!("[webhooks]\n{text}")));
    let config = read("listen = \"0.0.0.0:8443\"\npublic_url = \"https://bots.example/fleet/\"\nbody_max = \"64KiB\"");
    let webhooks = config.unwrap().webhooks;
    assert_eq!(webhooks.public_url(), Some("https://bots.example/fleet"));
    assert_eq!(webhooks.body_max.bytes(), 65_536);
    let faults = read("public_url = \"bots.example\"\nmax_connections = 101\nbody_max = \"1B\"").unwrap_err();
    for key in ["webhooks.public_url", "webhooks.max_connections", "webhooks.body_max"] {
        fault(&faults, key);
    }
    let faults = read("public_url = \"http://bots.example\"").unwrap_err();
    assert!(fault(&faults, "webhooks.public_url").what.contains("https only"), "{faults}");
    read("public_url = \"http://bots.example\"\n[telegram]\napi_url = \"http://127.0.0.1:8081\"").unwrap();
}

#[test]
fn a_missing_file_is_a_fault_with_its_path() {
    let sources = Sources { file: Some("/nowhere/mine.toml".into()), ..shipped() };
    let faults = Config::load(&sources).unwrap_err();
    assert!(faults.to_string().contains("/nowhere/mine.toml: cannot be read"), "{faults}");
}

fn secrets() -> GivenSecrets {
    let given = [("ADA_TOKEN", ADA), ("BARAN_TOKEN", BARAN), ("OPENAI_API_KEY", "sk-hidden")];
    GivenSecrets(given.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<BTreeMap<_, _>>())
}

fn example() -> String {
    fs::read_to_string(repository().join("config/fleet.example.toml")).unwrap()
}

/// Reads the example with changes; each must hit.
fn changed(changes: &[(&str, &str)]) -> Result<LoadedManifest, Faults> {
    let mut text = example();
    for (from, to) in changes {
        assert!(text.contains(from), "the example does not hold {from:?}");
        text = text.replacen(from, to, 1);
    }
    Manifest::read(&text, "fleet.toml", &secrets())
}

#[test]
fn the_example_is_sound_and_comes_to_a_plan() {
    let loaded = changed(&[]).unwrap();
    let [ada, baran] = loaded.plan.bots.as_slice() else { panic!("two bots") };
    assert_eq!(
        (ada.telegram_id.0, ada.credential.as_str(), ada.hourly_cap),
        (7_100_000_001, "env:ADA_TOKEN", Some(12))
    );
    assert_eq!(ada.generation.models[0].model, "gpt-4o-mini", "the provider's own model");
    assert_eq!(baran.generation.models[0].model, "gpt-4o");
    assert!((baran.generation.temperature - 1.0).abs() < f64::EPSILON);
    assert_eq!(baran.hourly_cap, Some(20));
    let chat = &loaded.plan.chats[0];
    assert_eq!((chat.physics.chain_depth_max, chat.physics.pair_per_ten_minutes), (Some(4), Some(12)));
    assert_eq!(chat.pacing.quiet_tick, Some(Duration::from_mins(15)));
    assert_eq!(loaded.tokens["Ada"].expose_secret(), ADA);
    assert_eq!(loaded.providers[0].settings.breaker.open_for, Duration::from_mins(1));
    assert_eq!(loaded.warnings, []);
}

#[test]
fn the_demo_manifest_is_sound() {
    let text = fs::read_to_string(repository().join("config/demo.toml")).unwrap();
    let names = text.lines().filter_map(|line| line.split("env:").nth(1)).filter_map(|rest| rest.split('"').next());
    let tokens =
        names.enumerate().map(|(index, name)| (name.to_owned(), format!("{}{}", 7_100_000_001 + index, &ADA[10..])));
    Manifest::read(&text, "demo.toml", &GivenSecrets(tokens.collect())).unwrap();
}

#[test]
fn the_examples_conversation_comes_through() {
    let loaded = changed(&[]).unwrap();
    let [ada, baran] = loaded.plan.bots.as_slice() else { panic!("two bots") };
    let [stance] = ada.persona.stances.as_slice() else { panic!("one stance") };
    assert_eq!((stance.topic.as_str(), stance.version, stance.cool_down), ("trams", 1, Duration::from_mins(30)));
    assert_eq!(ada.persona.active_hours.map(String::from).as_deref(), Some("07:00-23:00"));
    assert_eq!((ada.persona.reactions.len(), ada.persona.chars_per_second), (2, Some(9.0)));
    assert_eq!((baran.relationships[0].to.as_str(), baran.relationships[0].affinity), ("Ada", 0.6));
    let chat = &loaded.plan.chats[0];
    assert_eq!((chat.strategy.addressed_max, chat.strategy.cool_down), (2, Duration::from_secs(30)));
    assert_eq!(chat.quiet_hours.map(String::from).as_deref(), Some("01:00-07:30"));
    let physics = &chat.physics;
    assert_eq!((physics.unheard_max, physics.stagnation_turns), (Some(24), Some(4)));
    let lifted = changed(&[
        ("unheard_max = 24", "unheard_max = 0"),
        ("stagnation_turns = 4", "stagnation_turns = 0"),
        ("strategy = \"evening\"", "strategy = \"calm\""),
        ("quiet_hours = \"01:00-07:30\"", "quiet_hours = \"none\"\nconsistency = \"model\""),
    ])
    .unwrap();
    let chat = &lifted.plan.chats[0];
    assert_eq!((chat.physics.unheard_max, chat.physics.stagnation_turns, chat.quiet_hours), (None, None, None));
    assert_eq!((Some(&chat.strategy), chat.consistency.as_str()), (Strategy::built_in("calm").as_ref(), "model"));
}

#[test]
fn faults_of_conversations_are_told_with_key_and_remedy() {
    let faults = changed(&[
        ("strategy = \"evening\"", "strategy = \"evning\""),
        ("question = 0.97", "question = 1.97\nqestion = 1"),
        ("quiet_hours = \"01:00-07:30\"", "quiet_hours = \"one to seven\""),
        ("active_hours = \"07:00-23:00\"", "active_hours = \"7-25\""),
        ("confidence = 0.9", "confidence = 9.0"),
        ("reactions = [\"👍\", \"🤔\"]", "reactions = [\"👍\", \"🦖\"]"),
        ("to = \"Ada\", affinity = 0.6", "to = \"Adda\", affinity = 6.0"),
        ("stagnation_turns = 4", "stagnation_turns = 1"),
        ("limit = 0.6, own", "limit = 6.0, own"),
    ])
    .unwrap_err();
    for key in [
        "bots[1].relationships[0].affinity",
        "bots[1].relationships[0].to",
        "chats[0].quiet_hours",
        "chats[0].strategy",
        "defaults.novelty.limit",
        "defaults.physics.stagnation_turns",
        "personas.ada.active_hours",
        "personas.ada.reactions[1]",
        "personas.ada.stances[0].confidence",
        "strategies.evening.qestion",
        "strategies.evening.question",
    ] {
        assert!(!fault(&faults, key).remedy.is_empty(), "{key} has no remedy in\n{faults}");
    }
    assert_eq!(faults.0.len(), 11, "{faults}");
    assert!(fault(&faults, "chats[0].strategy").remedy.contains("natural, lively, calm, evening"), "{faults}");
}

#[test]
fn all_faults_of_a_manifest_are_told_at_once() {
    let faults = changed(&[
        ("persona = \"baran\"", "persona = \"barn\""),
        ("token = \"env:ADA_TOKEN\"", "token = \"env:NOT_SET\""),
        ("telegram_id = -1001234567890", "telegram_id = 4242"),
        ("time_zone = \"Europe/Istanbul\"", "time_zone = \"Europe/Constantinople\"\ncolour = 1"),
        ("temperature = 1.0", "temperature = 3.0"),
        ("bots = [\"Ada\", \"Baran\"]", "bots = [\"Ada\", \"Baron\"]"),
        ("\"openai/gpt-4o\"", "\"opnai/gpt-4o\""),
        ("talkativeness = 0.3", "talkativeness = 1.5"),
        ("timeout = \"60s\"", "timeout = \"soon\""),
        ("kind = \"ollama\"", "kind = \"llama\""),
    ])
    .unwrap_err();
    let told = headlines(&faults);
    for key in [
        "bots[0].token",
        "bots[1].models[0]",
        "bots[1].persona",
        "bots[1].temperature",
        "chats[0].bots[1]",
        "chats[0].colour",
        "chats[0].telegram_id",
        "chats[0].time_zone",
        "personas.ada.talkativeness",
        "providers[0].timeout",
        "providers[1].kind",
    ] {
        assert_eq!(told.iter().filter(|told| told.starts_with(&format!("{key}: "))).count(), 1, "{key} in\n{faults}");
    }
    assert_eq!(told.len(), 11, "{faults}");
    assert!(faults.0.iter().all(|fault| fault.source == "fleet.toml"));
    assert!(fault(&faults, "chats[0].telegram_id").what.contains("private chat"), "{faults}");
    assert!(fault(&faults, "bots[0].token").what.contains("NOT_SET"), "{faults}");
}

#[test]
fn a_fault_of_the_defaults_is_told_once_and_a_bound_only_where_the_value_is_used() {
    let faults = changed(&[("max_tokens = 400", "max_tokens = 0"), ("enabled = true\n", "enabled = 1\n")]).unwrap_err();
    assert_eq!(fault(&faults, "defaults.max_tokens").remedy, "from 1 to 32768");
    fault(&faults, "defaults.pacing.enabled");
    assert_eq!(faults.0.len(), 2, "two bots and a chat use them:\n{faults}");
    let faults = changed(&[("quiet_tick = \"15m\"", "quiet_tick = \"8d\"")]).unwrap_err();
    assert_eq!(fault(&faults, "chats[0].pacing.quiet_tick").remedy, "from 1s to 7d, or 0s for no such limit");
    let own = "quiet_tick = \"15m\"\ntyping_max = \"1s\"";
    let loaded = changed(&[("typing_max = \"8s\"", "typing_max = \"2h\""), ("quiet_tick = \"15m\"", own)]).unwrap();
    assert_eq!(loaded.plan.chats[0].pacing.typing_max, Duration::from_secs(1));
    let faults =
        changed(&[("[defaults.pacing]", "[defaults.pacing]\ncolour = 1"), ("[defaults]", "[defaults]\nname = 1")]);
    let faults = faults.unwrap_err();
    assert!(fault(&faults, "defaults.pacing.colour").remedy.starts_with("known keys: enabled"), "{faults}");
    assert!(
        fault(&faults, "defaults.name").remedy.contains("models, temperature"),
        "a name cannot be shared:\n{faults}"
    );
}

#[test]
fn names_tokens_and_chats_are_unique() {
    let faults = changed(&[
        ("name = \"Baran\"", "name = \"Ada\""),
        ("token = \"env:BARAN_TOKEN\"", "token = \"env:ADA_TOKEN\""),
        ("name = \"ollama\"", "name = \"openai\""),
        ("bots = [\"Ada\", \"Baran\"]", "bots = [\"Ada\", \"Ada\"]"),
        ("topics = [", "[[chats]]\nname = \"other\"\ntelegram_id = -1001234567890\nbots = [\"Ada\"]\ntopics = ["),
        ("\"ollama\"]", "\"openai\"]"),
    ])
    .unwrap_err();
    for key in ["bots[1].name", "bots[1].token", "providers[1].name", "chats[0].bots[1]", "chats[1].telegram_id"] {
        fault(&faults, key);
    }
}

#[test]
fn a_chat_that_is_no_supergroup_is_refused_with_the_way_out() {
    let faults = changed(&[("-1001234567890", "12345")]).unwrap_err();
    assert!(fault(&faults, "chats[0].telegram_id").what.contains("private chat"), "{faults}");
}

#[test]
fn a_basic_group_is_warned_of_and_served_once_it_is_a_supergroup() {
    for id in ["-12345", "-1000000000000"] {
        let loaded = changed(&[("-1001234567890", id)]).unwrap();
        let [warning] = loaded.warnings.as_slice() else { panic!("one warning, not {:?}", loaded.warnings) };
        assert_eq!(warning.key, "chats[0].telegram_id");
        assert!(warning.what.contains("nothing is read or said there"), "{}", warning.what);
    }
}

#[test]
fn a_token_in_clear_is_refused_and_never_shown() {
    for place in [ADA.to_owned(), format!("env:{ADA}")] {
        let faults = changed(&[("env:ADA_TOKEN", &place), ("env:OPENAI_API_KEY", "sk-hidden")]).unwrap_err();
        assert!(fault(&faults, "bots[0].token").what.contains("in clear"), "{faults}");
        assert!(fault(&faults, "bots[0].token").remedy.contains("revoke"), "{faults}");
        let shown = format!("{faults} {faults:?}");
        assert!(!shown.contains(&ADA[11..]) && !shown.contains("sk-hidden"), "{shown}");
    }
}

#[test]
fn a_loaded_manifest_shows_no_secret_in_debug() {
    let shown = format!("{:?}", changed(&[]).unwrap());
    assert!(!shown.contains(&ADA[11..]) && !shown.contains("sk-hidden"), "{shown}");
}

#[test]
fn zero_lifts_limits() {
    let loaded = changed(&[
        ("hourly_cap = 20", "hourly_cap = 0"),
        ("chain_depth_max = 4", "chain_depth_max = 0"),
        ("quiet_tick = \"15m\"", "quiet_tick = \"0s\""),
        ("requests_per_minute = 500", "requests_per_minute = 0"),
    ])
    .unwrap();
    assert_eq!(loaded.plan.bots[1].hourly_cap, None);
    assert_eq!(loaded.plan.chats[0].physics.chain_depth_max, None);
    assert_eq!(loaded.plan.chats[0].pacing.quiet_tick, None);
    assert_eq!(loaded.providers[0].settings.requests_per_minute, None);
}

#[test]
fn the_examples_gateway_comes_through() {
    let loaded = changed(&[]).unwrap();
    let [openai, ollama] = loaded.providers.as_slice() else { panic!("two providers") };
    let settings = &openai.settings;
    assert_eq!(openai.api_keys.len(), 1);
    assert_eq!(settings.tokens_per_minute.map(std::num::NonZeroU32::get), Some(200_000));
    assert_eq!((settings.concurrency_per_key, settings.refused_key_pause), (None, Duration::from_mins(15)));
    assert_eq!((openai.connect_timeout, openai.first_token_timeout), (Duration::from_secs(5), Duration::from_secs(30)));
    assert!((settings.price.unwrap().completion - 0.6).abs() < f64::EPSILON);
    assert!((settings.prices["gpt-4o"].prompt - 2.5).abs() < f64::EPSILON);
    assert_eq!((ollama.settings.price, ollama.api_keys.len()), (None, 0));
    let limits: Vec<_> = loaded.budgets.iter().map(|budget| (budget.owner.clone(), budget.limit)).collect();
    let ada = BudgetOwner::Bot(Some("Ada".to_owned()));
    let expected = [(BudgetOwner::Fleet, 5_000_000_000), (BudgetOwner::Bot(None), 200_000), (ada, 400_000)];
    assert_eq!(limits, expected);
}

#[test]
fn keys_take_turns_and_stand_in_one_place() {
    let pool = "keys = [\"env:OPENAI_API_KEY\", \"env:BARAN_TOKEN\"]";
    let single = "api_key = \"env:OPENAI_API_KEY\"";
    assert_eq!(changed(&[(single, pool)]).unwrap().providers[0].api_keys.len(), 2);
    let shown = |to: &str| changed(&[(single, to)]).unwrap_err();
    let faults = shown(&format!("{single}\n{pool}"));
    assert!(fault(&faults, "providers[0].keys").what.contains("beside api_key"), "{faults}");
    let faults = shown("keys = [\"env:OPENAI_API_KEY\", \"env:OPENAI_API_KEY\"]");
    assert!(fault(&faults, "providers[0].keys[1]").what.contains("same key"), "{faults}");
    let faults = shown("keys = []");
    assert!(fault(&faults, "providers[0].keys").what.contains("empty"), "{faults}");
    let faults = shown("keys = [\"sk-hidden-in-clear\"]");
    fault(&faults, "providers[0].keys[0]");
    assert!(!faults.to_string().contains("sk-hidden"), "{faults}");
    let faults = shown("keys = \"sk-hidden-in-clear\"");
    assert!(!faults.to_string().contains("sk-hidden"), "{faults}");
}

#[test]
fn faults_of_budgets_and_prices_are_told_with_key_and_remedy() {
    let budget = |text: &str| format!("\n[[budgets]]\n{text}\n\n[[chats]]\n");
    let told = |text: &str| changed(&[("\n[[chats]]\n", &budget(text))]).unwrap_err();
    let table = [
        ("unit = \"tokens\"\nper = \"day\"\nlimit = 1", "budgets[0].scope", "is missing"),
        ("scope = \"fleet\"\nper = \"day\"\nlimit = 1", "budgets[0].unit", "is missing"),
        ("scope = \"fleet\"\nunit = \"tokens\"\nlimit = 1", "budgets[0].per", "is missing"),
        ("scope = \"fleet\"\nunit = \"tokens\"\nper = \"day\"", "budgets[0].limit", "is missing"),
        ("scope = \"fleet\"\nunit = \"tokens\"\nper = \"day\"\nlimit = -1", "budgets[0].limit", "out of bounds"),
        (
            "scope = \"fleet\"\nname = \"Ada\"\nunit = \"tokens\"\nper = \"day\"\nlimit = 1",
            "budgets[0].name",
            "one fleet",
        ),
        ("scope = \"bot\"\nname = \"Eve\"\nunit = \"tokens\"\nper = \"day\"\nlimit = 1", "budgets[0].name", "unknown"),
        ("scope = \"chat\"\nunit = \"tokens\"\nper = \"week\"\nlimit = 1", "budgets[0].per", "week"),
        ("scope = \"fleet\"\nunit = \"money\"\nper = \"day\"\nlimit = 1", "budgets[1]", "the same"),
    ];
    for (text, key, what) in table {
        let faults = told(text);
        assert!(fault(&faults, key).what.contains(what), "{text}\n{faults}");
        assert!(faults.0.iter().all(|fault| fault.source == "fleet.toml"), "{faults}");
    }
    let faults =
        changed(&[("prompt = 0.15", "prompt = -1.0"), ("connect_timeout = \"5s\"", "connect_timeout = \"0s\"")]);
    let faults = faults.unwrap_err();
    fault(&faults, "providers[0].price.prompt");
    fault(&faults, "providers[0].connect_timeout");
}

#[test]
fn a_budget_of_money_over_a_provider_without_a_price_is_warned_of() {
    let loaded = changed(&[("price = { prompt = 0.15, completion = 0.60 }\n", "")]).unwrap();
    assert_eq!(loaded.warnings[0].key, "budgets[0]");
    assert!(loaded.warnings[0].what.contains("openai"), "{}", loaded.warnings[0]);
}

#[test]
fn a_model_in_use_with_a_key_and_no_price_is_warned_of() {
    let text = |prices: &str| {
        format!(
            "[[providers]]\nname = \"paid\"\nkind = \"compatible\"\nbase_url = \"https://llm.example/v1\"\n\
             api_key = \"env:ADA_TOKEN\"\nmodel = \"m\"\n{prices}\n\
             [[providers]]\nname = \"own\"\nkind = \"ollama\"\nmodel = \"m\"\n\
             [[budgets]]\nscope = \"fleet\"\nunit = \"money\"\nper = \"day\"\nlimit = 1\n\
             [personas.ada]\nvoice = \"You are Ada.\"\n\
             [[bots]]\nname = \"Ada\"\ntoken = \"env:ADA_TOKEN\"\npersona = \"ada\"\nmodels = [\"paid\", \"paid/l\", \"own\"]\n\
             [[chats]]\nname = \"c\"\ntelegram_id = -1001234567890\nbots = [\"Ada\"]\n"
        )
    };
    let price = "{ prompt = 1.0, completion = 1.0 }";
    for (prices, free) in [
        (String::new(), Some("calls to paid/l, paid/m cost nothing")),
        (format!("prices = {{ m = {price} }}"), Some("calls to paid/l cost nothing")),
        (format!("prices = {{ m = {price}, l = {price} }}"), None),
        (format!("price = {price}"), None),
    ] {
        let loaded = Manifest::read(&text(&prices), "fleet.toml", &secrets()).unwrap();
        let warned = loaded.warnings.iter().find(|warning| warning.key == "budgets[0]");
        assert_eq!(warned.is_some(), free.is_some(), "{prices}");
        assert!(warned.is_none_or(|warning| warning.what.contains(free.unwrap())), "{warned:?}");
    }
}

#[test]
fn a_key_in_the_place_of_a_name_is_not_repeated() {
    let key = "gsk_1A2b3C4d5E6f7G8h9I0j1K2l3M4n";
    for pasted in [format!("env:{key}"), "env:sk_live_abcdefghijklmnop".to_owned(), format!("file:{key}")] {
        let text = format!("[[providers]]\nname = \"p\"\nkind = \"groq\"\nmodel = \"m\"\napi_key = \"{pasted}\"\n");
        let told = Manifest::read(&text, "fleet.toml", &secrets()).unwrap_err().to_string();
        assert!(!told.contains(&pasted[5..]) && told.contains("in clear"), "{told}");
    }
}

fn with_token_file(mode: u32) -> (tempfile::TempDir, PathBuf) {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("ada.token");
    fs::write(&token, format!("  {ADA}\n")).unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(mode)).unwrap();
    let manifest = folder.path().join("fleet.toml");
    let text = "[[providers]]\nname = \"local\"\nkind = \"ollama\"\nmodel = \"m\"\n[personas.ada]\nvoice = \"You are Ada.\"\n\
                [[bots]]\nname = \"Ada\"\ntoken = \"file:ada.token\"\npersona = \"ada\"\nmodels = [\"local\"]\n\
                [[chats]]\nname = \"c\"\ntelegram_id = -1001234567890\nbots = [\"Ada\"]\n";
    fs::write(&manifest, text).unwrap();
    (folder, manifest)
}

#[test]
fn a_token_file_is_found_beside_the_manifest_and_trimmed() {
    let (_folder, manifest) = with_token_file(0o600);
    let loaded = Manifest::load(&manifest, &ProcessSecrets).unwrap();
    assert_eq!(loaded.tokens["Ada"].expose_secret(), ADA);
    assert_eq!(loaded.warnings, []);
}

#[test]
fn a_token_file_that_others_can_read_is_warned_of() {
    let (_folder, manifest) = with_token_file(0o644);
    let loaded = Manifest::load(&manifest, &ProcessSecrets).unwrap();
    assert_eq!(loaded.warnings[0].key, "bots[0].token");
}

#[test]
fn the_api_listens_for_other_machines_once_it_has_a_name_and_a_guard() {
    let folder = tempfile::tempdir().unwrap();
    let load = |text: &str| {
        let text = format!("[server]\nlisten = \"0.0.0.0:8080\"\n{text}");
        Config::load(&with_file(&folder, &text))
    };
    let refused = |text: &str| {
        let faults = load(text).unwrap_err();
        let fault = fault(&faults, "server.listen");
        assert!(fault.source.ends_with("mine.toml"), "{faults}");
        fault.remedy.clone()
    };
    for guard in ["plaintext = [\"172.18.0.0/16\"]", "proxies = [\"10.0.0.5\"]", "tls = { cert = \"c\", key = \"k\" }"]
    {
        let config = load(&format!("hosts = [\"botfleet-api\"]\n{guard}")).unwrap();
        assert_eq!(config.server.hosts, ["botfleet-api"]);
        assert!(refused(guard).contains("server.hosts"));
    }
    let remedy = refused("hosts = [\"botfleet-api\"]");
    for way in ["server.tls", "server.proxies", "server.plaintext", "127.0.0.1:PORT"] {
        assert!(remedy.contains(way), "{remedy}");
    }
    assert!(refused("hosts = [\"botfleet-api\"]\nproxies = []").contains("server.tls"));

    let mut sources = with_file(&folder, "[server]\nlisten = \"0.0.0.0:8080\"\nproxies = [\"10.0.0.5\"]\n");
    sources.variables = vec![("BOTFLEET__SERVER__HOSTS".into(), "[\"botfleet-api\"]".into())];
    assert!(Config::load(&sources).is_ok(), "a later layer may name them");
    sources.variables.push(("BOTFLEET__SERVER__PROXIES".into(), "[]".into()));
    let faults = Config::load(&sources).unwrap_err();
    assert!(
        fault(&faults, "server.listen").remedy.contains("server.tls"),
        "a later layer took the guard away: {faults}"
    );
}

#[test]
fn a_transport_that_cannot_be_is_refused_with_field_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |text: &str| Config::load(&with_file(&folder, &format!("[server]\n{text}"))).unwrap_err();
    let faults = refused("tls = { cert = \"tls.crt\" }\n");
    assert!(fault(&faults, "server.tls.key").remedy.contains("private key"), "{faults}");
    let faults = refused("tls = { key = \"tls.key\" }\n");
    assert!(fault(&faults, "server.tls.cert").what.contains("missing beside server.tls.key"), "{faults}");
    let faults = refused("tls = { cert = \"c\", key = \"k\" }\nplaintext = [\"10.0.0.0/8\"]\n");
    assert!(fault(&faults, "server.plaintext").what.contains("TLS alone"), "{faults}");
    let faults = refused("proxies = [\"proxy.example\"]\nplaintext = [\"10.0.0.1/8\"]\nobserve = \"9100\"\n");
    assert!(faults.to_string().contains("write for example 10.0.0.5"), "{faults}");
    assert!(faults.to_string().contains("write 10.0.0.0/8"), "{faults}");
    assert!(fault(&faults, "server.observe").source.ends_with("mine.toml"), "{faults}");
}

#[test]
fn a_cluster_that_cannot_be_is_refused_with_field_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |text: &str| Config::load(&with_file(&folder, text)).unwrap_err();
    let faults = refused("[cluster]\nrole = \"worker\"\nact_within = \"4s\"\n");
    assert!(fault(&faults, "cluster.role").remedy.contains("store.backend"), "{faults}");
    assert!(fault(&faults, "cluster.act_within").what.contains("two nodes could poll one bot"), "{faults}");
    let faults = refused("[store]\nbackend = \"postgres\"\n[cluster]\nbeat_every = \"1500ms\"\n");
    assert!(fault(&faults, "store.url").remedy.contains("postgres://"), "{faults}");
    assert!(fault(&faults, "cluster.beat_every").remedy.contains("one lost beat"), "{faults}");
    let faults = refused("[cluster]\nnode = \"two words\"\naddress = \"http://n1/\"\nreconcile_every = \"1s\"\n");
    for key in ["cluster.node", "cluster.address", "cluster.reconcile_every"] {
        assert!(fault(&faults, key).source.ends_with("mine.toml"), "{faults}");
    }
}

#[test]
fn i12_a_secret_of_the_wrong_type_is_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[store]\nurl = 7342719\npassword = 7342719\n[redis]\nurl = 7342719\n[telegram]\nproxy = 7342719\n\
                [alerts]\nwebhook_secret = 7342719\n";
    let faults = Config::load(&with_file(&folder, text)).unwrap_err();
    let changes = [("\"env:ADA_TOKEN\"", "7342719"), ("\"env:OPENAI_API_KEY\"", "7342719")];
    let of_manifest = changed(&changes).unwrap_err();
    let told = format!("{faults}\n{of_manifest}");
    assert_eq!(told.matches("is no reference").count(), 7, "{told}");
    assert!(!told.contains("7342719"), "{told}");
}

#[test]
fn i12_passwords_of_servers_stand_in_no_file_and_in_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[store]\nbackend = \"postgres\"\nurl = \"postgres://a:s3cret@db/fleet\"\npassword = \"s3cret\"\n\
                [redis]\nurl = \"redis://:s3cret@cache:6379\"\n";
    let faults = Config::load(&with_file(&folder, text)).unwrap_err();
    for key in ["store.url", "store.password", "redis.url"] {
        fault(&faults, key);
    }
    assert!(!faults.to_string().contains("s3cret"), "{faults}");
    let text = "[store]\nbackend = \"postgres\"\nurl = \"env:DATABASE\"\n[redis]\nurl = \"env:CACHE\"\n";
    let config = Config::load(&with_file(&folder, text)).unwrap();
    let secrets = GivenSecrets(
        [("DATABASE", "postgres://a:s3cret@db/fleet"), ("CACHE", "redis://:s3cret@cache:6379")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
    );
    let connections = config.connections(&secrets).unwrap();
    assert!(connections.postgres.as_ref().is_some_and(|url| url.expose_secret().contains("s3cret")));
    assert!(!format!("{config:?} {connections:?}").contains("s3cret"));
    let faults = config.connections(&GivenSecrets::default()).unwrap_err();
    assert!(fault(&faults, "store.url").what.contains("DATABASE") && faults.0.len() == 2, "{faults}");
}
