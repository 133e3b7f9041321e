//! Signs in to a cluster of real programs: a change on one node counts on the other within a second, with every hint lost.

use botfleet::api::account::{AddKey, BeginFactor, FactorProof, TakeFactor};
use botfleet::api::answer::Answer;
use botfleet::api::route::{Call, Nothing, Route};
use botfleet::api::users::{Add, Change, UserNamed, UserPatch};
use botfleet::api::{session, style};
use botfleet::client::Client;
use botfleet::operate::principal::Role;
use serde::de::DeserializeOwned;

use super::*;
use crate::sign_in::{PASSWORD, code, key_body, new_user, plain, proof, refused, seed_of, step, with};

/// Time within which a change counts everywhere.
const EVERYWHERE_WITHIN: Duration = Duration::from_secs(1);

fn remote(node: &Product) -> Client {
    Client::new(node.base_url().unwrap()).unwrap()
}

fn local(node: &Product) -> Client {
    Client::new(&node.api().address()).unwrap()
}

/// Returns the code that a call is refused with within a second.
async fn soon<R: Route>(client: &Client, code: &str, call: impl Fn() -> Call<R>)
where
    <R::Answer as Answer>::Item: DeserializeOwned,
{
    let since = Instant::now();
    while refused(client, call()).await != code {
        assert!(since.elapsed() < EVERYWHERE_WITHIN, "{code} does not come");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn i12_a_change_of_an_account_counts_on_every_node_within_a_second_without_hints() {
    let stage = ClusterStage::raise("cluster_sign_in", 2, false).await;
    let (one, two) = (&stage.nodes[0], &stage.nodes[1]);
    for (name, role) in [("ada", Role::Operator), ("bela", Role::Admin)] {
        local(one).call(with::<Add>(new_user(name, role, None))).await.unwrap();
    }
    let token = remote(one).call(proof("ada", PASSWORD, None)).await.unwrap().token.unwrap();
    let (here, there) = (remote(one).with_token(token.0.clone()), remote(two).with_token(token.0));
    let key = here.call(with::<AddKey>(key_body(Role::Viewer, &[]))).await.unwrap();
    let key = remote(two).with_token(key.key.0);
    for client in [&here, &there, &key] {
        assert_eq!(refused(client, plain::<style::Get>()).await, "done");
    }
    let disabled = UserPatch { disabled: Some(true), ..UserPatch::default() };
    let change = Call::<Change>::new(UserNamed { name: "ada".to_owned() }, Nothing {}, disabled).of_version(1);
    local(one).call(change).await.unwrap();
    assert_eq!(refused(&here, plain::<style::Get>()).await, "unauthenticated", "at once where it was changed");
    soon(&there, "unauthenticated", plain::<style::Get>).await;
    soon(&key, "unauthenticated", plain::<style::Get>).await;
}

#[tokio::test]
async fn i12_a_code_that_is_used_on_two_nodes_at_once_counts_on_one() {
    let mut stage = ClusterStage::start("cluster_codes", 0).await;
    for node in ["n1", "n2"] {
        let files = stage.files(node, "all", "cluster_codes").await;
        let shared = stage.folder.path().join("secrets.key");
        std::fs::write(&shared, "5".repeat(64)).unwrap();
        let config = std::fs::read_to_string(files.config()).unwrap();
        let keys = [format!("file:{}", shared.display())];
        std::fs::write(files.config(), format!("{config}\n[secrets]\nkeys = {keys:?}\n")).unwrap();
        stage.nodes.push(Product::start(binary(), files).await.unwrap());
    }
    let (one, two) = (&stage.nodes[0], &stage.nodes[1]);
    local(one).call(with::<Add>(new_user("ada", Role::Admin, None))).await.unwrap();
    let token = remote(one).call(proof("ada", PASSWORD, None)).await.unwrap().token.unwrap();
    let ada = remote(one).with_token(token.0);
    let begun = ada.call(plain::<BeginFactor>()).await.unwrap();
    let seed = seed_of(&begun);
    let first = FactorProof { sealed: begun.sealed, code: code(&seed, step() - 1) };
    ada.call(with::<TakeFactor>(first)).await.unwrap();
    let same = code(&seed, step());
    let (first, second) = tokio::join!(
        async { refused::<session::Open>(&remote(one), proof("ada", PASSWORD, Some(same.clone()))).await },
        async { refused::<session::Open>(&remote(two), proof("ada", PASSWORD, Some(same.clone()))).await },
    );
    let mut both = [first, second];
    both.sort();
    assert_eq!(both, ["done", "wrong_credentials"]);
}
