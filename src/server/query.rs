//! `/loki/api/v1/query`: a metric at one time. Grafana's health check asks here for `vector(1)+vector(1)`.

use super::{Api, call::Call, error::Error, metric, params::now_ns, reply::Reply};
use crate::logql::{self, Expr};
use crate::query::Times;

pub(super) fn answer(api: &Api, call: &mut Call<'_, '_>) -> Result<Reply, Error> {
    let params = &call.params;
    let time_ns = params.time("time")?.unwrap_or_else(now_ns);
    params.limit()?;
    params.direction()?;
    match logql::parse(params.query())? {
        Expr::Log(_) => Err(Error::bad(
            "log queries are not supported as an instant query type, please change your query to a range query type",
        )),
        Expr::Metric(expr) => metric::run(api, call, &expr, Times::Instant(time_ns)),
    }
}
