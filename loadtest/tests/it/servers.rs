//! Tests that real PostgreSQL and Redis serve, crash and come back, and that a proxied link can fail in every way.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use botfleet_loadtest::servers::postgres::{Postgres, PostgresOptions};
use botfleet_loadtest::servers::proxy::{Mode, TcpProxy, Way};
use botfleet_loadtest::servers::redis::Redis;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn postgres_keeps_what_it_committed_through_a_kill() {
    let server = Postgres::start(None, PostgresOptions::default()).await.unwrap();
    server.create_database("fleet").await.unwrap();
    server.query("fleet", "CREATE TABLE t (x int); INSERT INTO t VALUES (7)").await.unwrap();
    let first = server.pid().unwrap();
    server.kill_9().await.unwrap();
    assert_eq!(server.pid(), None);
    assert!(server.query("fleet", "SELECT 1").await.is_err());
    server.restart().await.unwrap();
    assert_ne!(server.pid(), Some(first));
    assert_eq!(server.query("fleet", "SELECT x FROM t").await.unwrap(), "7");
    assert_eq!(server.url("fleet"), format!("postgres://botfleet@127.0.0.1:{}/fleet", server.port()));
    let folder = server.log().parent().unwrap().to_owned();
    drop(server);
    assert!(!folder.exists(), "the folder goes with the server");
}

#[tokio::test]
async fn a_stopped_postgres_answers_after_it_goes_on() {
    let server = Postgres::start(None, PostgresOptions::fast()).await.unwrap();
    server.stop().await.unwrap();
    let asked = server.query("postgres", "SELECT 'late'");
    tokio::pin!(asked);
    assert!(timeout(Duration::from_millis(300), &mut asked).await.is_err());
    server.cont().await.unwrap();
    assert_eq!(timeout(SOON, asked).await.unwrap().unwrap(), "late");
}

#[tokio::test]
async fn redis_comes_back_empty_on_its_port() {
    let server = Redis::start(None).await.unwrap();
    server.command("SET a 1").await.unwrap();
    server.flush_all().await.unwrap();
    assert_eq!(server.command("EXISTS a").await.unwrap(), ":0");
    server.command("SET b 1").await.unwrap();
    server.kill_9().await.unwrap();
    assert!(server.command("PING").await.is_err());
    server.restart().await.unwrap();
    assert_eq!(server.command("EXISTS b").await.unwrap(), ":0");
    assert!(server.command("NONSENSE").await.is_err());
}

/// Starts a server that sends back every byte, behind a proxy.
async fn echo() -> (TcpProxy, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let server = async move {
        let mut open = tokio::task::JoinSet::new();
        while let Ok((mut link, _)) = listener.accept().await {
            open.spawn(async move {
                let (mut from, mut to) = link.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    };
    #[allow(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    let server = tokio::spawn(server);
    (TcpProxy::start(address).await.unwrap(), server)
}

async fn connect(proxy: &TcpProxy) -> TcpStream {
    TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await.unwrap()
}

async fn say(link: &mut TcpStream, text: &[u8]) {
    link.write_all(text).await.unwrap();
}

async fn hear(link: &mut TcpStream, length: usize) -> std::io::Result<Vec<u8>> {
    let mut heard = vec![0; length];
    timeout(SOON, link.read_exact(&mut heard)).await.expect("it comes in time")?;
    Ok(heard)
}

/// Returns whether nothing arrives for 150 ms: silence has no event to wait for.
async fn is_silent(link: &mut TcpStream) -> bool {
    timeout(Duration::from_millis(150), link.read_u8()).await.is_err()
}

#[tokio::test]
async fn a_link_that_passes_carries_both_ways_and_a_cut_resets_it() {
    let (proxy, _server) = echo().await;
    let mut link = connect(&proxy).await;
    say(&mut link, b"hello").await;
    assert_eq!(hear(&mut link, 5).await.unwrap(), b"hello");
    proxy.cut();
    assert_eq!(hear(&mut link, 1).await.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    let mut next = connect(&proxy).await;
    say(&mut next, b"again").await;
    assert_eq!(hear(&mut next, 5).await.unwrap(), b"again");
    assert_eq!(proxy.connections(), 2);
}

#[tokio::test]
async fn a_refusing_link_resets_what_is_open_and_takes_nothing_new() {
    let (proxy, _server) = echo().await;
    let mut link = connect(&proxy).await;
    say(&mut link, b"a").await;
    hear(&mut link, 1).await.unwrap();
    proxy.set(Mode::Refuse);
    assert!(hear(&mut link, 1).await.is_err());
    let address = (Ipv4Addr::LOCALHOST, proxy.port());
    let refused = async {
        while let Err(error) = TcpStream::connect(address).await.map(|_| ()) {
            if error.kind() == std::io::ErrorKind::ConnectionRefused {
                return;
            }
        }
    };
    timeout(SOON, refused).await.unwrap();
    proxy.set(Mode::Pass);
    let mut next = timeout(SOON, async {
        loop {
            if let Ok(link) = TcpStream::connect(address).await {
                return link;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    say(&mut next, b"b").await;
    assert_eq!(hear(&mut next, 1).await.unwrap(), b"b");
}

#[tokio::test]
async fn a_black_hole_swallows_one_way_and_never_carries_again_what_lost_bytes() {
    let (proxy, _server) = echo().await;
    let (mut spoke, mut silent) = (connect(&proxy).await, connect(&proxy).await);
    for link in [&mut spoke, &mut silent] {
        say(link, b"a").await;
        hear(link, 1).await.unwrap();
    }
    proxy.set(Mode::BlackHole(Way::ToServer));
    say(&mut spoke, b"lost").await;
    assert!(is_silent(&mut spoke).await);
    assert_eq!(proxy.swallowed_bytes(), 4);
    proxy.set(Mode::Pass);
    assert!(hear(&mut spoke, 1).await.is_err(), "it lost bytes");
    say(&mut silent, b"kept").await;
    assert_eq!(hear(&mut silent, 4).await.unwrap(), b"kept", "it lost none");
}

#[tokio::test]
async fn what_is_held_arrives_late_and_whole() {
    let (proxy, _server) = echo().await;
    let mut link = connect(&proxy).await;
    say(&mut link, b"a").await;
    hear(&mut link, 1).await.unwrap();
    proxy.set(Mode::Hold(Way::Both));
    say(&mut link, b"late").await;
    assert!(is_silent(&mut link).await);
    proxy.set(Mode::Pass);
    assert_eq!(hear(&mut link, 4).await.unwrap(), b"late");
}

#[tokio::test]
async fn hints_alone_are_swallowed_between_redis_and_a_subscriber() {
    let server = Redis::start(None).await.unwrap();
    let proxy = TcpProxy::to_port(server.port()).await.unwrap();
    let mut link = connect(&proxy).await;
    say(&mut link, b"SUBSCRIBE hints\r\n").await;
    let subscribed = b"*3\r\n$9\r\nsubscribe\r\n$5\r\nhints\r\n:1\r\n";
    assert_eq!(hear(&mut link, subscribed.len()).await.unwrap(), subscribed);
    proxy.set(Mode::DropMessages);
    assert_eq!(server.command("PUBLISH hints lost").await.unwrap(), ":1");
    say(&mut link, b"PING\r\n").await;
    let pong = b"*2\r\n$4\r\npong\r\n$0\r\n\r\n";
    assert_eq!(hear(&mut link, pong.len()).await.unwrap(), pong);
    assert_eq!(proxy.dropped_messages(), 1);
    proxy.set(Mode::Pass);
    server.command("PUBLISH hints heard").await.unwrap();
    let message = b"*3\r\n$7\r\nmessage\r\n$5\r\nhints\r\n$5\r\nheard\r\n";
    assert_eq!(hear(&mut link, message.len()).await.unwrap(), message);
}
