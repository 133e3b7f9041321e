//! Asks the real program to connect by somebody else's word: what leads to a private network is refused by API, and served from a
//! manifest (I12).

#![allow(clippy::unwrap_used, clippy::panic)]

use botfleet::api::provider_trial::{TrialBody, TrialView, Try};
use botfleet_loadtest::harness::files::ProductOptions;

use crate::fleet_stage::{FleetStage, PROVIDER_KEY, options};
use crate::scripted_http::{Line, Scripted, answer};
use crate::sign_in::{local, refused, with};

fn trial(address: &str) -> TrialBody {
    TrialBody { kind: "compatible".to_owned(), base_url: Some(address.to_owned()), key: Some(PROVIDER_KEY.into()) }
}

fn allowing(hosts: &[String]) -> ProductOptions {
    let hosts: Vec<toml::Value> = hosts.iter().map(|host| host.as_str().into()).collect();
    let outbound = toml::Table::from_iter([("private_hosts".to_owned(), hosts.into())]);
    let settings = toml::Table::from_iter([("outbound".to_owned(), outbound.into())]);
    ProductOptions { settings, ..options() }
}

#[tokio::test]
async fn i12_the_addresses_of_private_networks_are_refused_by_api_and_served_from_a_manifest() {
    // The provider of this stage lies on 127.0.0.1, and its manifest says so.
    let stage = FleetStage::small().await;
    stage.say(0, "hello");
    stage.until_sent(1).await;
    let own = stage.simulation.base_url();
    for address in [
        &format!("{own}/v1"),
        &own.replace("127.0.0.1", "localhost"),
        &own.replace("127.0.0.1", "localhost."),
        &own.replace("http:", "https:"),
        "https://127.0.0.1/v1",
        "https://127.1/v1",
        "https://2130706433/v1",
        "https://0x7f000001/v1",
        "https://[::1]/v1",
        "https://[::ffff:127.0.0.1]/v1",
        "https://localhost/v1",
        "https://localhost./v1",
        "https://169.254.169.254/latest",
        "https://[fd00:ec2::254]/latest",
        "https://168.63.129.16/v1",
        "https://100.100.100.200/v1",
        "https://10.0.0.1/v1",
        "https://172.16.0.1/v1",
        "https://192.168.0.1/v1",
        "https://0.0.0.0/v1",
        "https://[64:ff9b::a00:1]/v1",
        "https://[2002:a00:1::1]/v1",
        "https://[fe80::1]/v1",
        "https://[fc00::1]/v1",
        "http://1.1.1.1/v1",
        "https://1.1.1.1:22/v1",
    ] {
        assert_eq!(refused(&local(&stage), with::<Try>(trial(address))).await, "address_refused", "{address}");
    }
    for odd in ["https://user:secret@1.1.1.1/v1", "ftp://1.1.1.1/", "nonsense", ""] {
        assert_eq!(refused(&local(&stage), with::<Try>(trial(odd))).await, "bad_request", "{odd}");
    }
    assert_eq!(stage.simulation.provider.call_count(), 1, "nothing was asked");
}

#[tokio::test]
async fn i12_a_private_address_is_not_reached_through_a_redirect() {
    let inner = Scripted::start([answer(200, r#"{"data":[]}"#)]).await;
    let location = format!("location: {}/v1/models\r\n", inner.url());
    let outer =
        Scripted::start([Line::Answer(302, location.leak(), String::new()), answer(200, r#"{"data":[]}"#)]).await;
    let stage = FleetStage::start(1, 1, allowing(&[outer.addr.to_string()])).await;
    let address = format!("{}/v1", outer.url());
    let tried = local(&stage).call(with::<Try>(trial(&address))).await.unwrap();
    assert!(!tried.answers, "{tried:?}");
    assert_eq!((outer.seen().len(), inner.seen().len()), (1, 0), "the key did not travel on");
    let tried = local(&stage).call(with::<Try>(trial(&address))).await.unwrap();
    assert_eq!(tried, TrialView { answers: true, reason: None }, "the operator allowed this host");
    let refused_here = refused(&local(&stage), with::<Try>(trial(&format!("{}/v1", inner.url())))).await;
    assert_eq!(refused_here, "address_refused", "and no other port of it");
}
