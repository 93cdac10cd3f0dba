//! Single passes: a workflow that is called like a function, and the body of a loop node while somebody builds it.
//! Any error ends them.

use std::sync::Arc;

use nodetool_sdk::steps::{Flow, Token};
use nodetool_sdk::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::LoopRun;
use super::actor::LoopActor;
use super::pass::{EACH, Items, Pass, RESULTS};
use super::plan::Region;
use super::shared::Shared;

/// Says that the run was stopped.
const CANCELLED: &str = "The run was cancelled";

impl LoopRun {
    /// Gives a token to the first node and does all that follows; the token of the last node.
    ///
    /// # Errors
    /// What the first step that failed says.
    pub async fn once(self, input: Token, cancel: CancellationToken) -> Result<Token, String> {
        let region = self.plan.single()?;
        let work = async |actor: &LoopActor| {
            actor.set_up(0).await.map_err(|(_, error)| error)?;
            let flow = match actor.run(Pass::start(), input).await? {
                Flow::Completed(sentinel) => return Ok(sentinel.completed()),
                flow => flow,
            };
            let mut pass = Pass::new(actor.region());
            let followed = actor.follow(&mut pass, flow).await;
            followed.map_err(|failure| failure.error)?;
            Ok(pass.take_last().unwrap_or_default())
        };
        single(self, region, &cancel, work).await
    }

    /// Runs the body of a loop node for each item; the token with what the items came to.
    ///
    /// # Errors
    /// What the first step that failed says, or that there is no such loop node.
    pub async fn each(
        self,
        node_id: &str,
        items: Vec<Value>,
        token: Token,
        cancel: CancellationToken,
    ) -> Result<Token, String> {
        self.bodies(node_id, Items::all(items), token, &cancel)
            .await
    }

    /// Runs the body of a loop node for one item, after those with these results: what its sinks hold, and the token
    /// with all results so far.
    ///
    /// # Errors
    /// As [`each`](Self::each), or that there is no such item.
    pub async fn each_one(
        self,
        node_id: &str,
        items: Vec<Value>,
        index: usize,
        results: Vec<Value>,
        token: Token,
        cancel: CancellationToken,
    ) -> Result<(Vec<Map>, Token), String> {
        let items = Items::one(items, index, results)?;
        let token = self.bodies(node_id, items, token, &cancel).await?;
        let results = token.data.get(EACH).and_then(|each| each.get("results"));
        let last = results.and_then(Value::as_list).and_then(<[_]>::last);
        let sunk = match last {
            Some(Value::Map(data)) => vec![(**data).clone()],
            Some(Value::List(sinks)) => {
                let sinks = sinks.iter().filter_map(Value::as_map);
                sinks.cloned().collect()
            }
            _ => Vec::new(),
        };
        Ok((sunk, token))
    }

    async fn bodies(
        self,
        node_id: &str,
        items: Items,
        token: Token,
        cancel: &CancellationToken,
    ) -> Result<Token, String> {
        let region = self.plan.body(node_id)?;
        let before = token.data.get(RESULTS).cloned();
        let work = async |actor: &LoopActor| {
            actor.set_up(1).await.map_err(|(_, error)| error)?;
            let mut pass = Pass::new(actor.region());
            let begun = pass.begin_body(items, token);
            let gone = actor.go_on(&mut pass, begun).await;
            gone.map_err(|failure| failure.error)?;
            Ok(pass.take_last().unwrap_or_default())
        };
        let mut token = single(self, region, cancel, work).await?;
        // Only what follows a loop node has these, and nothing follows here.
        match before {
            Some(before) => token.data.insert(RESULTS.into(), before),
            None => token.data.shift_remove(RESULTS),
        };
        Ok(token)
    }
}

/// Does some work with the steps of a loop, and cleans them up.
async fn single(
    run: LoopRun,
    region: Arc<Region>,
    cancel: &CancellationToken,
    work: impl AsyncFnOnce(&LoopActor) -> Result<Token, String>,
) -> Result<Token, String> {
    let mut actor = LoopActor::new(Arc::new(Shared::new(run)), region);
    let result = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(CANCELLED.into()),
        result = work(&actor) => result,
    };
    actor.clean_up().await;
    result
}
