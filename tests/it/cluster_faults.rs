//! Runs several nodes of the real program on a real PostgreSQL and Redis while nodes, links, servers and clocks fail,
//! judged by the simulated world's ledger: I1-I8. A short run; the long ones are
//! `botfleet-loadtest cluster-faults --seeds`.

use botfleet_loadtest::harness::cluster::faults::args::ClusterFaultsArgs;
use botfleet_loadtest::harness::cluster::faults::run::run;

use crate::fleet_stage::binary;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_nothing_doubled_and_no_bot_polled_twice_while_nodes_fail() {
    let args = ClusterFaultsArgs::of(Some(binary().to_owned()), 3, 25.0, 24, 6);
    let result = run(&args).await.unwrap();
    assert!(result.is_clean(), "{result}");
}
