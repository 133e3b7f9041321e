//! Tests how the real program speaks with other machines: TLS, proxies, networks of plain HTTP, and the address of probes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use botfleet_loadtest::harness::files::{ProductFiles, ProductOptions};
use botfleet_world::people::http;
use botfleet_world::simulation::{Simulation, SimulationSpec};
use botfleet_world::world::spec::WorldSpec;
use reqwest::header::{CONNECTION, HeaderMap, STRICT_TRANSPORT_SECURITY};
use reqwest::{Certificate, Client, Response, StatusCode, Version};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::fleet_stage::{DEADLINE, binary, options};
use crate::fleet_stop::signal;

/// The name by which other machines address the API.
const NAME: &str = "botfleet.test";

/// A running program with settings of the server.
struct Program {
    child: Child,
    files: ProductFiles,
    url: String,
    observe: Option<String>,
    _simulation: Simulation,
    folder: TempDir,
}

impl Program {
    /// Starts it; `FOLDER` in the settings is the one that holds the certificate.
    async fn start(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        certify(folder.path());
        let simulation = Simulation::start(SimulationSpec::of(WorldSpec::fleet(7, 1, 1))).await.unwrap();
        let settings = settings.replace("FOLDER", &folder.path().display().to_string());
        let settings = format!("[server]\n{settings}").parse().unwrap();
        let options = ProductOptions { log_level: "info".to_owned(), settings, ..options() };
        let (world, url) = (simulation.world.spec(), simulation.base_url());
        let files = ProductFiles::write(&folder.path().join("fleet"), world, &url, &options).unwrap();
        let mut command = Command::new(binary());
        command.args(["run", "--no-launcher", "--config"]).arg(files.config()).arg("--manifest").arg(files.manifest());
        command.current_dir(files.dir()).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.stderr(fs::File::create(files.log()).unwrap()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut observe = None;
        let listens = tokio::time::timeout(DEADLINE, async {
            while let Some(line) = lines.next_line().await.unwrap() {
                match line.split_whitespace().collect::<Vec<_>>()[..] {
                    ["observe", address] => observe = Some(address.to_owned()),
                    ["listening", address] => return Some(address.to_owned()),
                    _ => {}
                }
            }
            None
        });
        let url = listens.await.unwrap().unwrap_or_else(|| panic!("{}", fs::read_to_string(files.log()).unwrap()));
        // Nobody reads on, and nobody needs to: the program goes on without a reader.
        Self { child, files, url, observe, _simulation: simulation, folder }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.files.log()).unwrap()
    }

    async fn until_logged(&self, words: &str) {
        let until = Instant::now() + DEADLINE;
        while !self.log().contains(words) {
            assert!(Instant::now() < until, "{words:?} is not in: {}", self.log());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    fn port(&self) -> u16 {
        self.url.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// Gets a path by the API's name, from this machine's address `from`.
    async fn get(&self, client: reqwest::ClientBuilder, from: IpAddr, path: &str, headers: HeaderMap) -> Response {
        let scheme = self.url.split(':').next().unwrap();
        let client = client.resolve(NAME, SocketAddr::new(from, self.port())).build().unwrap();
        let url = format!("{scheme}://{NAME}:{}{path}", self.port());
        client.get(url).headers(headers).send().await.unwrap()
    }
}

/// Writes a new certificate and its key; returns the certificate.
fn certify(folder: &Path) -> Certificate {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned(), "127.0.0.1".to_owned()]).unwrap();
    fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    fs::write(folder.join("tls.crt"), made.cert.pem()).unwrap();
    trusted(&folder.join("tls.crt"))
}

fn trusted(cert: &Path) -> Certificate {
    Certificate::from_pem(&fs::read(cert).unwrap()).unwrap()
}

/// Prepares a client that trusts one certificate alone.
fn trusting(certificate: Certificate) -> reqwest::ClientBuilder {
    http::builder().tls_certs_only([certificate])
}

/// Returns an address of this machine that is not loopback. Nothing is sent: the system only picks a way.
fn address_here() -> IpAddr {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    socket.connect("198.51.100.1:9").expect("these tests need a network besides loopback");
    socket.local_addr().unwrap().ip()
}

fn loopback() -> IpAddr {
    Ipv4Addr::LOCALHOST.into()
}

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    lines.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

const TLS: &str = "listen = \"0.0.0.0:0\"\nhosts = [\"botfleet.test\"]\ntls = { cert = \"FOLDER/tls.crt\", key = \"FOLDER/tls.key\" }\n";

#[tokio::test]
async fn the_port_speaks_tls_alone_by_http2_and_by_http1() {
    let program = Program::start(TLS).await;
    assert!(program.url.starts_with("https://"), "{}", program.url);
    let cert = || trusting(trusted(&program.folder.path().join("tls.crt")));
    let answer = program.get(cert(), address_here(), "/docs", HeaderMap::new()).await;
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));
    assert_eq!(answer.headers()[STRICT_TRANSPORT_SECURITY], "max-age=31536000");
    let answer = program.get(cert().http1_only(), loopback(), "/health/ready", HeaderMap::new()).await;
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_11));
    assert!(!answer.headers().contains_key(STRICT_TRANSPORT_SECURITY), "other programs of this machine speak HTTP");
    let foreign = program.get(cert(), address_here(), "/metrics", HeaderMap::new()).await;
    assert_eq!(foreign.status(), StatusCode::NOT_FOUND);
    let mut plain = TcpStream::connect((loopback(), program.port())).await.unwrap();
    plain.write_all(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut heard = Vec::new();
    let _ = plain.read_to_end(&mut heard).await;
    assert!(!String::from_utf8_lossy(&heard).contains("HTTP/1.1"), "plain HTTP is not answered");
    // A handshake that never comes keeps nobody out.
    let _idle = TcpStream::connect((loopback(), program.port())).await.unwrap();
    let counted = "botfleet_http_connections_refused_total{reason=\"handshake\"} 1";
    let metrics = program.get(cert(), loopback(), "/metrics", HeaderMap::new()).await.text().await.unwrap();
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn a_new_certificate_is_taken_while_it_runs_and_a_broken_one_changes_nothing() {
    let program = Program::start(TLS).await;
    let path: PathBuf = program.folder.path().join("tls.crt");
    let old = trusted(&path);
    fs::write(&path, "nonsense").unwrap();
    program.until_logged("the new certificate is unfit, the old one stays").await;
    let answer = program.get(trusting(old.clone()), loopback(), "/health/live", HeaderMap::new()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let new = certify(program.folder.path());
    program.until_logged("the certificate was replaced").await;
    let answer = program.get(trusting(new), loopback(), "/health/live", HeaderMap::new()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let distrusts = trusting(old).build().unwrap().get(format!("https://127.0.0.1:{}/", program.port())).send().await;
    assert!(distrusts.unwrap_err().is_connect());
}

#[tokio::test]
async fn connections_of_http2_run_dry_before_the_server_closes() {
    let settings = format!("{TLS}drain_for = \"2s\"\nobserve = \"127.0.0.1:0\"\n");
    let mut program = Program::start(&settings).await;
    let client = trusting(trusted(&program.folder.path().join("tls.crt"))).build().unwrap();
    let url = format!("https://127.0.0.1:{}/docs", program.port());
    assert_eq!(client.get(&url).send().await.unwrap().version(), Version::HTTP_2);
    signal(program.child.id().unwrap(), "TERM").await;
    let ready = format!("{}/health/ready", program.observe.clone().unwrap());
    crate::fleet_stop::until_unready(&http::client().unwrap(), &ready).await;
    for _ in 0..20 {
        let answer = client.get(&url).send().await.unwrap();
        assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));
        assert!(!answer.headers().contains_key(CONNECTION));
    }
    let status = tokio::time::timeout(DEADLINE, program.child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0), "{}", program.log());
}

#[tokio::test]
async fn the_address_of_probes_has_four_paths_and_no_more() {
    let program = Program::start("observe = \"0.0.0.0:0\"\n").await;
    let port = program.observe.as_deref().unwrap().rsplit(':').next().unwrap();
    let client = Client::builder().no_proxy().build().unwrap();
    let status = async |path: &str| {
        let url = format!("http://{}:{port}{path}", address_here());
        client.get(url).header("host", "10.9.8.7").send().await.unwrap().status()
    };
    for path in ["/health", "/health/live", "/health/ready", "/metrics"] {
        assert_eq!(status(path).await, StatusCode::OK, "{path}");
    }
    for path in ["/", "/api/v1/fleet", "/api/v1/openapi.json", "/docs", "/webhook/telegram/a", "/health/", "/metrics/x"]
    {
        assert_eq!(status(path).await, StatusCode::NOT_FOUND, "{path}");
    }
    let refused = client.post(format!("http://127.0.0.1:{port}/metrics")).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_named_proxy_is_believed_and_a_stranger_is_not() {
    let claims = || headers(&[("x-forwarded-for", "203.0.113.9"), ("x-forwarded-proto", "https")]);
    let strict = |answer: &Response| answer.headers().contains_key(STRICT_TRANSPORT_SECURITY);
    let program = Program::start("hosts = [\"botfleet.test\"]\nproxies = [\"127.0.0.1\"]\n").await;
    let answer = program.get(http::builder(), loopback(), "/docs", claims()).await;
    assert!(answer.status() == StatusCode::OK && strict(&answer), "the proxy says that the client's way is encrypted");
    let answer = program.get(http::builder(), loopback(), "/metrics", claims()).await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND, "the client is not on this machine");
    for unclear in [
        headers(&[("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=198.51.100.1")]),
        headers(&[("x-forwarded-for", "nonsense")]),
        headers(&[("forwarded", "for=\"x")]),
    ] {
        for path in ["/docs", "/api/v1/fleet", "/metrics", "/setup/x"] {
            let answer = program.get(http::builder(), loopback(), path, unclear.clone()).await;
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path}: nobody knows who asks");
        }
    }

    let here = address_here();
    let settings = format!("listen = \"0.0.0.0:0\"\nhosts = [\"botfleet.test\"]\nplaintext = [\"{here}\"]\n");
    let program = Program::start(&settings).await;
    assert!(program.log().contains("plain HTTP is allowed in server.plaintext"), "{}", program.log());
    let answer = program.get(http::builder(), here, "/docs", claims()).await;
    assert!(answer.status() == StatusCode::OK && !strict(&answer), "a stranger's word is no encryption");
    let forged = headers(&[("x-forwarded-for", "127.0.0.1"), ("forwarded", "for=127.0.0.1")]);
    assert_eq!(program.get(http::builder(), here, "/metrics", forged).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(
        program.get(http::builder(), loopback(), "/metrics", HeaderMap::new()).await.status(),
        StatusCode::OK,
        "this machine sees them"
    );
}

#[tokio::test]
async fn peers_outside_of_the_networks_of_plain_http_are_turned_away_unread() {
    let settings = "listen = \"0.0.0.0:0\"\nhosts = [\"botfleet.test\"]\nplaintext = [\"10.255.255.0/24\"]\n";
    let program = Program::start(settings).await;
    let mut stranger = TcpStream::connect((address_here(), program.port())).await.unwrap();
    let _ = stranger.write_all(b"GET /api/v1/fleet HTTP/1.1\r\nhost: botfleet.test\r\n\r\n").await;
    let mut heard = Vec::new();
    let _ = tokio::time::timeout(DEADLINE, stranger.read_to_end(&mut heard)).await.unwrap();
    assert!(heard.is_empty(), "{}", String::from_utf8_lossy(&heard));
    program.until_logged("refused plain HTTP from networks").await;
    let answer = program.get(http::builder(), loopback(), "/docs", HeaderMap::new()).await;
    assert_eq!(answer.status(), StatusCode::OK);
}
