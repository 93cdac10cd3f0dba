//! Files that go into a collection through a workflow of its owner, which reads and cuts them as it likes.

use std::sync::Arc;

use nodetool_protocol::{Graph, Map, Value, encode_data_uri};

use super::embedding::blocking;
use super::indexing::Received;
use super::{CollectionError, CollectionService, WORKFLOW, no_workflow, read_metadata};
use crate::services::{Caller, JobService, StartRun, read_graph};

/// Largest file that goes through a workflow: it is kept with the job.
const MAX_FILE: u64 = 16 << 20;

/// Runs workflows for collections.
pub(crate) struct Through<'a> {
    pub(crate) collections: &'a CollectionService,
    pub(crate) jobs: &'a JobService,
}

/// The names of the inputs that take the collection and the file.
pub(super) fn inputs(graph: &Graph) -> Result<(Arc<str>, Arc<str>), CollectionError> {
    let find = |classes: &[&str]| {
        let nodes = graph.nodes.iter();
        let mut nodes = nodes.filter(|n| {
            let class = n.node_type.rsplit('.').next().unwrap_or_default();
            classes.contains(&class)
        });
        nodes.next().map(|node| match node.data.get("name") {
            Some(Value::Str(name)) if !name.is_empty() => name.clone(),
            _ => node.id.clone(),
        })
    };
    let collection = find(&["CollectionInput"]).ok_or(CollectionError::NoCollectionInput)?;
    let file = find(&["FileInput", "DocumentFileInput"]).ok_or(CollectionError::NoFileInput)?;
    Ok((collection, file))
}

impl Through<'_> {
    /// Puts a file in: through the workflow the collection names, else by itself.
    pub(crate) async fn index(
        &self,
        caller: &Caller,
        collection: &str,
        file: &Received,
    ) -> Result<(), CollectionError> {
        let row = self.collections.row(caller, collection).await?;
        let metadata = read_metadata(&row.metadata);
        let workflow = metadata.get(WORKFLOW).and_then(Value::as_str);
        let Some(workflow) = workflow.filter(|id| !id.is_empty()) else {
            let indexed = self.collections.index(caller, collection, file).await;
            return indexed.map(drop);
        };
        let workflows = &self.collections.0.workflows;
        let stored = workflows.get(caller, workflow).await.map_err(no_workflow)?;
        let graph = read_graph(workflow, &stored.graph).map_err(no_workflow)?;
        let (collection_input, file_input) = inputs(&graph)?;
        let loaded = workflows
            .load(caller, workflow)
            .await
            .map_err(no_workflow)?;
        let path = file.path().to_owned();
        let uri = blocking(move || {
            let size = std::fs::metadata(&path)
                .map_err(CollectionError::Scratch)?
                .len();
            if size > MAX_FILE {
                let reason = format!("the file has {size} bytes, expected at most {MAX_FILE}");
                return Err(CollectionError::Run(reason));
            }
            let bytes = std::fs::read(&path).map_err(CollectionError::Scratch)?;
            // Runs may not read the files of this machine, so the file goes along.
            Ok(encode_data_uri("application/octet-stream", &bytes))
        });
        let mut params = Map::new();
        let reference = Value::map([("type", "collection".into()), ("name", collection.into())]);
        params.insert(collection_input, reference);
        params.insert(file_input, uri.await??.into());
        let run = self.jobs.run(StartRun::new(caller.clone(), loaded, params));
        let outcome = run.await.map_err(|e| CollectionError::Run(e.to_string()))?;
        outcome
            .error
            .map_or(Ok(()), |e| Err(CollectionError::Run(e)))
    }
}

#[cfg(test)]
mod tests {
    use nodetool_protocol::Node;

    use super::*;

    #[test]
    fn the_inputs_are_found_by_their_class_and_named_as_the_run_names_them() {
        let mut collection = Node::new("c", "nodetool.input.CollectionInput");
        collection.data.insert("name".into(), "into".into());
        let mut graph = Graph::default();
        assert!(matches!(
            inputs(&graph),
            Err(CollectionError::NoCollectionInput)
        ));
        graph.nodes.push(collection);
        assert!(matches!(inputs(&graph), Err(CollectionError::NoFileInput)));
        graph
            .nodes
            .push(Node::new("f", "nodetool.input.DocumentFileInput"));
        let (collection, file) = inputs(&graph).unwrap();
        assert_eq!((&*collection, &*file), ("into", "f"));
    }
}
