//! Asks a cluster of real programs too often: its nodes share a limit through Redis, and each counts for itself without it.

use super::*;

/// Requests a minute of an address without a principal.
const LIMIT: usize = 40;

/// Asks a node as a stranger; returns the status.
async fn asked(http: &reqwest::Client, node: &Product) -> u16 {
    let url = format!("{}/api/v1/fleet", node.base_url().unwrap());
    http.get(url).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn nodes_share_the_limit_of_an_address_and_count_alone_while_redis_is_away() {
    let redis = Redis::start(None).await.unwrap();
    let mut stage = ClusterStage::start("cluster_limits", 0).await;
    for node in ["n1", "n2"] {
        let files = stage.files(node, "all", "cluster_limits").await;
        let config = std::fs::read_to_string(files.config()).unwrap();
        let config = config.replace(&Redis::shared().await.unwrap().url(), &redis.url());
        let config = config.replacen("[server]", &format!("[server]\nlimits = {{ strangers = {LIMIT} }}\n"), 1);
        std::fs::write(files.config(), config).unwrap();
        stage.nodes.push(Product::start(binary(), files).await.unwrap());
    }
    for node in 0..2 {
        stage.until(node, "the bus is up", |cluster| cluster["bus_up"] == true).await;
    }
    let (one, two) = (&stage.nodes[0], &stage.nodes[1]);
    let http = reqwest::Client::new();
    let mut answered = 0;
    while asked(&http, one).await == 401 {
        answered += 1;
        assert!(answered <= 2 * LIMIT, "the first node refuses nobody");
    }
    // An answer of Redis that comes too late lets a request through, and after three of them nobody asks for a second.
    let mut late = 0;
    while asked(&http, two).await == 401 {
        late += 1;
        assert!(late < LIMIT / 2, "the second node does not know what the first one counted");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    redis.kill_9().await.unwrap();
    stage.until(1, "the bus is down", |cluster| cluster["bus_up"] == false).await;
    assert_eq!(asked(&http, two).await, 401, "the second node counted few requests itself");
}
