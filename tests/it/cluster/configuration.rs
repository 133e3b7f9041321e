//! Changes the configuration of a cluster of real programs: every node follows within a second, with every hint lost too (I10).

use super::*;

/// Rounds of which the middle one is measured: the machine of a test may be busy for a moment.
const ROUNDS: usize = 5;

/// Time within which every node follows.
const WITHIN: Duration = Duration::from_secs(1);

impl ClusterStage {
    async fn ask(&self, node: usize, method: Method, path: &str, version: Option<i64>, body: Option<Value>) -> Value {
        let mut request = self.nodes[node].api().request(method.clone(), path);
        if let Some(version) = version {
            request = request.header("if-match", format!("\"{version}\""));
        }
        if let Some(body) = body {
            request = request.header("idempotency-key", format!("{method}{path}").replace('/', "-")).json(&body);
        }
        let answer = request.send().await.unwrap();
        let (status, answer) = (answer.status(), answer.json::<Value>().await.unwrap());
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    }

    async fn got(&self, node: usize, path: &str) -> Value {
        self.ask(node, Method::GET, path, None, None).await
    }

    /// Returns how long a node takes until its view fulfils a condition.
    async fn follows(&self, node: usize, condition: impl Fn(&Value) -> bool) -> Duration {
        let since = Instant::now();
        while !condition(&self.got(node, "/api/v1/fleet").await) {
            let log = || self.nodes[node].log_tail();
            assert!(since.elapsed() < DEADLINE, "node {node} does not follow\n{}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        since.elapsed()
    }
}

#[tokio::test]
async fn i10_providers_budgets_and_bots_follow_on_every_node_with_every_hint_lost() {
    let mut stage = ClusterStage::raise("cluster_config", 2, false).await;
    stage.until_bots(0, &[("n1", 2), ("n2", 2)]).await;
    assert!(stage.simulation.world.wait_until_polling(4, DEADLINE).await);
    let budget = json!({ "keys": { "scope": "fleet", "unit": "tokens", "per": "day", "limit": 1_000_000_000 } });
    stage.ask(0, Method::POST, "/api/v1/budgets", None, Some(budget)).await;
    let path = "/api/v1/budgets/fleet-tokens-day";
    let mut took = Vec::new();
    for round in 1..=ROUNDS {
        let limit = 1_000_000_000 + round as i64;
        let version = stage.got(0, path).await["version"].as_i64();
        stage.ask(0, Method::PATCH, path, version, Some(json!({ "keys": { "limit": limit } }))).await;
        took.push(stage.follows(1, |fleet| fleet["budgets"].to_string().contains(&limit.to_string())).await);
    }
    took.sort_unstable();
    assert!(took[ROUNDS / 2] < WITHIN, "{took:?}");

    // A provider that is described otherwise takes the calls of both nodes, and those under way end well.
    let answers = stage.simulation.world.spec().chats.iter().map(|chat| chat.bots.len()).sum::<usize>();
    stage.say("hello");
    let provider = "/api/v1/providers/sim";
    let version = stage.got(1, provider).await["version"].as_i64();
    stage.ask(1, Method::PATCH, provider, version, Some(json!({ "keys": { "concurrency": 7 } }))).await;
    stage.until_sent(answers).await;
    stage.say("and again");
    stage.until_sent(2 * answers).await;

    // What the API made is there after both nodes started again, from either of them.
    let persona = json!({ "name": "made", "keys": { "voice": "You are made by the API." } });
    stage.ask(1, Method::POST, "/api/v1/personas", None, Some(persona)).await;
    for node in &mut stage.nodes {
        node.kill_9().await.unwrap();
    }
    for node in &mut stage.nodes {
        node.restart().await.unwrap();
    }
    for node in 0..2 {
        let overridden = stage.got(node, provider).await;
        assert_eq!(overridden["overrides"][0]["field"], "concurrency", "{overridden}");
        assert_eq!(stage.got(node, "/api/v1/personas/made").await["origin"], "api");
        assert_eq!(stage.got(node, path).await["keys"]["limit"], 1_000_000_000 + ROUNDS as i64);
        assert!(!stage.nodes[node].log_tail().contains("was not applied"), "{}", stage.nodes[node].log_tail());
    }
}
