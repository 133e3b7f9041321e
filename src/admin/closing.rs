//! A server, and its end without a failed request. Layer `admin`.
//!
//! | when | what a client sees |
//! |---|---|
//! | readiness is off | answers as before, each the last of its connection: pools of connections run dry |
//! | the server closes | no new connection; requests under way are answered; idle connections end |
//! | the time for that is over | connections end |

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::runtime::fleet::RunningFleet;

/// A server at work; dropping it lets it go on.
#[derive(Debug)]
pub struct Server {
    close: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    #[expect(
        clippy::disallowed_methods,
        reason = "the server lives outside the supervision tree, and its caller holds the task"
    )]
    pub(super) fn start(listener: TcpListener, router: Router) -> Self {
        let (close, closing) = oneshot::channel();
        let task = tokio::spawn(async move {
            let server = axum::serve(listener, router).with_graceful_shutdown(async move {
                if closing.await.is_err() {
                    std::future::pending::<()>().await;
                }
            });
            if let Err(error) = server.await {
                tracing::error!(error = %error, "the HTTP edge ended");
            }
        });
        Self { close, task }
    }

    /// Takes no more connections, and answers the requests under way unless they take longer than `within`.
    pub async fn close(self, within: Duration) {
        let _ = self.close.send(());
        let abort = self.task.abort_handle();
        if tokio::time::timeout(within, self.task).await.is_err() {
            tracing::debug!("requests under way were not waited for");
            abort.abort();
        }
    }
}

/// Tells the client, once readiness is off, that this answer is the last one of its connection.
pub(super) async fn last_of_its_connection(
    State(fleet): State<Arc<RunningFleet>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    if fleet.is_leaving() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
