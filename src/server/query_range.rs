//! `/loki/api/v1/query_range`: entries of a range of time, or a metric at each step of it.

use std::time::{Duration, Instant};

use super::{
    Api,
    call::Call,
    error::Error,
    http::Request,
    metric,
    params::{TimeRange, now_ns},
    permits::Permit,
    reply::Reply,
    result::log_reply,
};
use crate::logql::{self, Expr, LogExpr};
use crate::query::{self, Cancel, Direction, Grid, LogAnswer, LogQuery, Times};

/// How long a query waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);
/// The encoding flag that keeps metadata and parsed labels apart from the stream's.
const CATEGORIZE_LABELS: &str = "categorize-labels";

pub(super) fn answer(api: &Api, call: &mut Call<'_, '_>) -> Result<Reply, Error> {
    let window = Window::of(api, call)?;
    match logql::parse(call.params.query())? {
        Expr::Metric(expr) => {
            let (start_ns, end_ns) = (window.range.start_ns, window.range.end_ns);
            let grid = Grid::aligned(start_ns, end_ns, call.params.step(window.range)?);
            metric::run(api, call, &expr, Times::Grid(grid))
        }
        Expr::Log(expr) => {
            let answer = run(api, call, &window, &expr, wants_categories(call.request))?;
            Ok(log_reply(answer, &encoding_flags(call.request)))
        }
    }
}

/// Which part of the matching entries a log query asks for.
pub(super) struct Window {
    range: TimeRange,
    limit: usize,
    direction: Direction,
    interval_ns: i64,
}

impl Window {
    pub(super) fn of(api: &Api, call: &Call<'_, '_>) -> Result<Self, Error> {
        let params = &call.params;
        Ok(Self {
            range: params.range(now_ns(), api.query_limits.max_query_length_ns)?,
            limit: params.limit()?,
            direction: params.direction()?,
            interval_ns: params.interval()?,
        })
    }
}

/// Runs a log query once it is its turn.
pub(super) fn run(
    api: &Api,
    call: &Call<'_, '_>,
    window: &Window,
    expr: &LogExpr,
    categorize_labels: bool,
) -> Result<LogAnswer, Error> {
    let query = LogQuery {
        expr,
        start_ns: window.range.start_ns,
        end_ns: window.range.end_ns,
        limit: window.limit,
        direction: window.direction,
        interval_ns: window.interval_ns,
        categorize_labels,
    };
    let client_is_gone = || call.request.client_is_gone();
    let asked = Instant::now();
    let _permit = turn(api, call.request)?;
    let queue_time = asked.elapsed();
    let cancel = Cancel::after(api.query_limits.query_timeout);
    let mut answer = query::select(&call.store, &query, &api.query_limits, &cancel, &client_is_gone)?;
    answer.statistics.queue_time = queue_time;
    Ok(answer)
}

/// The encoding flags that a client asks for, in its order. Unknown ones have no effect and are echoed.
pub(super) fn encoding_flags<'r>(request: &'r Request<'_>) -> Vec<&'r str> {
    let header = request.header("X-Loki-Response-Encoding-Flags").unwrap_or("");
    header.split(',').map(str::trim).filter(|flag| !flag.is_empty()).collect()
}

/// Whether labels are asked for by category.
pub(super) fn wants_categories(request: &Request<'_>) -> bool {
    encoding_flags(request).contains(&CATEGORIZE_LABELS)
}

/// Waits for the permit to use all cores.
pub(super) fn turn(api: &Api, request: &Request<'_>) -> Result<Permit, Error> {
    let gone = || request.client_is_gone();
    api.queries.take(PATIENCE, &gone).ok_or_else(|| {
        if gone() {
            return query::Error::Canceled.into();
        }
        Error::Busy(format!(
            "too many queries at once: {} are running (limits.max_concurrent_queries); try again",
            api.query_limits.max_concurrent_queries
        ))
    })
}
