//! The HTTP edge: mounts the API's routes, and serves health, metrics and webhooks. Layer `http`.
//!
//! | file | holds |
//! |---|---|
//! | `server` | the routers and servers |
//! | `mount` | a route of the list, mounted: permission, path, filters, body, answer |
//! | `conditions` | conditions of requests on versions |
//! | `idempotency` | requests that carry a key, carried out once |
//! | `body` | bodies, received within bounds |
//! | `problem` | failures as answers |
//! | `guard` | which hosts and origins are served |
//! | `health` | health and metrics, which need no permission, and their own address |
//! | `documents` | the OpenAPI document and the page made of it |
//! | `measured` | metrics of requests |
//! | `headers` | request ids, and what browsers may do with answers |
//! | `closing`, `port`, `socket` | servers, their ports, and the socket on the machine itself |
//! | `connection`, `http2` | one connection, by HTTP/1.1 or HTTP/2 |
//! | `client_address`, `forwarded` | the sender of a request, behind proxies too |
//! | `setup` | the page on which the first admin makes an account |
//! | `identity` | the proof that a request carries, and the cookie that holds a session |
//! | `refusals` | who was refused, told in the log now and then |
//! | `limits`, `counted` | limits of requests, and of streams and connections that are open at a time |
//! | `certificate`, `expiry` | the certificate of a port, read again when its files change, and told of before it ends |
//! | `limits` | limits of requests and streams |
//! | `events` | streams of events, as server-sent events or over a WebSocket |
//! | `place`, `stalled` | the place that a connection takes, and its end when its peer stops reading |
//! | `certificate` | the certificate of a port, read again when its files change |
//! | `transport` | the way in which a port speaks, and the peers that it serves |
//! | `webhook` | the receiver of updates, on a port of its own |
//!
//! The API answers only to names of this machine and to those in `server.hosts`; `guard` refuses requests that a web page could
//! have made a browser send. `identity` reads the proof of a request: a session's cookie or token, or an API key. Whoever brings
//! none is a stranger, who may sign in and nothing else; the local socket needs no proof, since the system tells the caller's user.
//! The receiver of webhooks may be reached from elsewhere: it recognises Telegram by the secret of each bot.

mod body;
pub mod certificate;
pub mod client_address;
pub mod closing;
mod conditions;
mod connection;
mod counted;
mod documents;
pub mod edge;
mod events;
mod expiry;
mod forwarded;
mod guard;
mod headers;
mod health;
mod http2;
mod idempotency;
mod identity;
pub mod limits;
mod measured;
mod mount;
mod place;
pub mod port;
mod problem;
mod refusals;
pub mod server;
mod setup;
pub mod socket;
mod stalled;
pub mod transport;
pub mod webhook;
