//! Gives secrets to a cluster of real programs: each node opens what another one sealed, and none seals what another could not
//! open.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use botfleet::api::bots::BotNamed;
use botfleet::api::route::{Call, Nothing};
use botfleet::api::secrets::{List, Retire, Rotate, SealingKeyOf, SetToken, TokenBody};
use botfleet::client::Client;

use super::*;
use crate::sign_in::{plain, refused};

fn set_token(bot: &str, token: &str) -> Call<SetToken> {
    Call::new(BotNamed { name: bot.to_owned() }, Nothing {}, TokenBody { token: token.into() })
}

fn local(node: &Product) -> Client {
    Client::new(&node.api().address()).unwrap()
}

fn write_key(path: &Path, byte: char) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(path, byte.to_string().repeat(64)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

impl ClusterStage {
    /// Starts a node whose keys for secrets lie in these files of the stage's folder.
    async fn start_sealing(&mut self, node: &str, prefix: &str, keys: &[&str]) {
        let files = self.files(node, "all", prefix).await;
        let mut config = fs::read_to_string(files.config()).unwrap();
        let keys: Vec<String> =
            keys.iter().map(|key| format!("file:{}", self.folder.path().join(key).display())).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(config, "\n[secrets]\nkeys = {keys:?}");
        fs::write(files.config(), config).unwrap();
        self.nodes.push(Product::start(binary(), files).await.unwrap());
    }
}

#[tokio::test]
async fn i12_a_secret_is_sealed_once_every_living_node_can_open_it_and_counts_everywhere_within_a_second() {
    let mut stage = ClusterStage::raise("cluster_secrets", 0, false).await;
    let key = |name: &str| stage.folder.path().join(name);
    write_key(&key("one"), '1');
    stage.start_sealing("n1", "cluster_secrets", &["new", "one"]).await;
    stage.start_sealing("n2", "cluster_secrets", &["two"]).await;
    stage.until_bots(0, &[("n1", 2), ("n2", 2)]).await;
    let world = stage.simulation.world.spec().clone();
    let renewed: Vec<(String, String)> =
        world.bots.iter().map(|bot| (bot.username.clone(), stage.simulation.world.make_token(bot.id))).collect();
    let (name, token) = &renewed[0];
    for node in &stage.nodes {
        assert_eq!(refused(&local(node), set_token(name, token)).await, "cannot_seal", "n2 has no key");
    }
    // The key comes to the other node while it runs.
    write_key(&stage.folder.path().join("two"), '1');
    let until = Instant::now() + DEADLINE;
    while refused(&local(&stage.nodes[0]), set_token(name, token)).await == "cannot_seal" {
        assert!(Instant::now() < until, "n2 does not find its key");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for ((name, token), bot) in renewed.iter().zip(&world.bots) {
        stage.simulation.world.replace_token(bot.id, token).unwrap();
        local(&stage.nodes[0]).call(set_token(name, token)).await.unwrap();
    }
    // Both bots of n2, whose tokens n1 sealed, poll again as soon as those of n1.
    assert!(stage.simulation.world.wait_until_polling(4, Duration::from_secs(1)).await);
    stage.say("hello");
    stage.until_sent(4).await;

    // A rotation waits for the last node, and a key is not retired under one that seals with it.
    let first = local(&stage.nodes[0]).call(plain::<List>()).await.unwrap().keys[0].clone();
    assert_eq!(first.nodes, ["n1", "n2"]);
    write_key(&stage.folder.path().join("new"), '2');
    assert_eq!(refused(&local(&stage.nodes[0]), plain::<Rotate>()).await, "cannot_seal", "n2 lacks the new key");
    let retire = || Call::<Retire>::new(SealingKeyOf { id: first.id.clone() }, Nothing {}, Nothing {});
    assert_eq!(refused(&local(&stage.nodes[1]), retire()).await, "key_in_use");
}
