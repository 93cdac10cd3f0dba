use std::sync::Mutex;

use nodetool_sdk::collections::{Look, NewDocument, Search};
use nodetool_sdk::models::{
    ChatRequest, ChatStream, EmbedRequest, Embeddings, ImageRequest, Media, ModelErrorKind,
    SpeechRequest, SpeechStream, TranscribeRequest, Transcript, VideoRequest,
};
use nodetool_sdk::services::Services;
use nodetool_sdk::{BoxFuture, Registry};

use super::*;
use crate::services::Changes;

/// A model whose vectors hold the length of the text, in as many numbers as it was told.
struct Lengths {
    dimensions: Mutex<usize>,
    batches: Mutex<Vec<usize>>,
}

fn nothing<'a, T: Send + 'a>() -> BoxFuture<'a, Result<T, ModelError>> {
    Box::pin(async { Err(ModelError::unsupported("lengths", "that")) })
}

impl Models for Lengths {
    fn chat<'a>(&'a self, _: ChatRequest) -> BoxFuture<'a, Result<ChatStream, ModelError>> {
        nothing()
    }
    fn embed<'a>(&'a self, request: EmbedRequest) -> BoxFuture<'a, Result<Embeddings, ModelError>> {
        Box::pin(async move {
            if request.model == "none" {
                let kind = ModelErrorKind::UnknownModel;
                return Err(ModelError::new(kind, "p", "there is no model none"));
            }
            self.batches.lock().unwrap().push(request.texts.len());
            let dimensions = *self.dimensions.lock().unwrap();
            let of = |text: &String| vec![text.len() as f32; dimensions];
            Ok(Embeddings {
                vectors: request.texts.iter().map(of).collect(),
                usage: None,
            })
        })
    }
    fn image<'a>(&'a self, _: ImageRequest) -> BoxFuture<'a, Result<Vec<Media>, ModelError>> {
        nothing()
    }
    fn video<'a>(&'a self, _: VideoRequest) -> BoxFuture<'a, Result<Media, ModelError>> {
        nothing()
    }
    fn speech<'a>(&'a self, _: SpeechRequest) -> BoxFuture<'a, Result<SpeechStream, ModelError>> {
        nothing()
    }
    fn transcribe<'a>(
        &'a self,
        _: TranscribeRequest,
    ) -> BoxFuture<'a, Result<Transcript, ModelError>> {
        nothing()
    }
}

fn service_with(models: Arc<dyn Models>) -> CollectionService {
    let store = Store::open_in_memory().unwrap();
    let registry = Arc::new(Registry::default());
    let workflows = WorkflowService::new(store.clone(), registry, Changes::default());
    CollectionService::new(store, workflows, Arc::new(move |_| models.clone()))
}

fn service() -> CollectionService {
    service_with(Services::none().models)
}

fn document(id: &str, text: &str) -> PutDocument {
    PutDocument {
        id: id.to_owned(),
        text: text.to_owned(),
        ..PutDocument::default()
    }
}

fn ids(found: &[Found]) -> Vec<&str> {
    found.iter().map(|f| f.id.as_str()).collect()
}

#[tokio::test]
async fn a_model_is_asked_in_batches_and_its_length_is_kept() {
    let models = Arc::new(Lengths {
        dimensions: Mutex::new(3),
        batches: Mutex::default(),
    });
    let service = service_with(models.clone());
    let caller = Caller::user("u");
    service.create(&caller, "c", "m", "p").await.unwrap();
    let documents = (0..150).map(|n| document(&format!("d{n}"), &"x".repeat(n + 1)));
    let put = service.put(&caller, "c", documents.collect(), None).await;
    assert_eq!(put.unwrap().len(), 150);
    assert_eq!(*models.batches.lock().unwrap(), [64, 64, 22]);
    let query = |ways| Query {
        ways,
        limit: 2,
        filter: None,
    };
    let meaning = query(Ways::Meaning("x".repeat(10)));
    let found = service.query(&caller, "c", meaning.clone()).await.unwrap();
    assert_eq!(ids(&found), ["d9", "d8"]);
    assert_eq!(found[0].distance, Some(0.0));
    *models.dimensions.lock().unwrap() = 4;
    for refused in [
        service
            .put(&caller, "c", vec![document("n", "x")], None)
            .await
            .unwrap_err(),
        service.query(&caller, "c", meaning).await.unwrap_err(),
    ] {
        let told = refused.to_string();
        assert_eq!(
            told,
            "the model m gave a vector of 4 numbers, expected 3 for the collection c"
        );
    }
    let vector = query(Ways::Vector(vec![1.0; 5]));
    let refused = service.query(&caller, "c", vector).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "vector: the vector has 5 numbers, expected 3"
    );
}

#[tokio::test]
async fn a_model_that_is_not_there_is_told_by_its_name_and_stores_nothing() {
    let models = Arc::new(Lengths {
        dimensions: Mutex::new(3),
        batches: Mutex::default(),
    });
    let service = service_with(models);
    let caller = Caller::user("u");
    service.create(&caller, "c", "none", "").await.unwrap();
    let refused = service
        .put(&caller, "c", vec![document("a", "x")], None)
        .await;
    let told = refused.unwrap_err().to_string();
    assert_eq!(
        told,
        "the model none gives no vectors: there is no model none"
    );
    assert_eq!(service.get(&caller, "c").await.unwrap().count, 0);
}

#[tokio::test]
async fn each_way_to_search_finds_what_it_says() {
    let service = service();
    let caller = Caller::user("u");
    service.create(&caller, "c", "", "").await.unwrap();
    let mut documents = vec![
        document("cats", "Cats sleep most of the day and hunt at dawn."),
        document(
            "boats",
            "Sailing boats need wind, and sailors need patience.",
        ),
        document("bread", "Bread dough rises slowly in a cold kitchen."),
    ];
    documents[1].metadata.insert("year".into(), 2020.into());
    service.put(&caller, "c", documents, None).await.unwrap();
    let search = |ways, filter: Option<&str>| {
        let filter = filter.map(|f| serde_json::from_str(f).unwrap());
        let query = Query {
            ways,
            limit: 2,
            filter,
        };
        service.query(&caller, "c", query)
    };
    let text = || "sailing with the wind".to_owned();
    let meaning = search(Ways::Meaning(text()), None).await.unwrap();
    assert_eq!((ids(&meaning)[0], meaning.len()), ("boats", 2));
    assert!(meaning[0].distance.is_some() && meaning[0].score.is_none());
    let words = search(Ways::Words("bread kitchen".to_owned()), None)
        .await
        .unwrap();
    assert_eq!(ids(&words), ["bread"]);
    assert!(words[0].distance.is_none() && words[0].score.is_some());
    let both = search(Ways::of("hybrid", text()), None).await.unwrap();
    assert_eq!(ids(&both)[0], "boats");
    assert!((both[0].score.unwrap() - 2.0 / 61.0).abs() < 1e-9);
    let filtered = search(
        Ways::Meaning("bread".to_owned()),
        Some(r#"{"year": {"$gte": 2020}}"#),
    );
    assert_eq!(ids(&filtered.await.unwrap()), ["boats"]);
    let refused = search(Ways::Meaning(text()), Some(r#"{"year": {"$near": 2020}}"#)).await;
    let told = refused.unwrap_err().to_string();
    assert!(
        told.starts_with("where.year.$near: is no operator"),
        "{told}"
    );
    let blank = search(Ways::Meaning(" ".to_owned()), None).await;
    assert!(matches!(blank, Err(CollectionError::Field { .. })));
}

#[tokio::test]
async fn bad_documents_are_refused_by_place_and_key() {
    let service = service();
    let caller = Caller::user("u");
    service.create(&caller, "c", "", "").await.unwrap();
    let mut nested = document("a", "x");
    nested.metadata.insert("k".into(), Value::list([]));
    for (documents, expected) in [
        (
            vec![document("a", "x"), document("a", "y")],
            "documents[1].id: `a` is given twice",
        ),
        (vec![document("a", " ")], "documents[0].text: is blank"),
        (
            vec![nested],
            "documents[0].metadata.k: expected a text, a number or a flag, got list",
        ),
    ] {
        let refused = service
            .put(&caller, "c", documents, None)
            .await
            .unwrap_err();
        assert!(refused.to_string().starts_with(expected), "{refused}");
    }
    for name in ["", " x", "a\nb"] {
        let refused = service.create(&caller, name, "", "").await.unwrap_err();
        assert!(refused.to_string().starts_with("name: "), "{refused}");
    }
}

#[tokio::test]
async fn the_collections_of_a_run_are_those_of_its_user() {
    let service = service();
    let (ann, bob) = (Caller::user("ann"), Caller::user("bob"));
    let hers = service.of(&ann);
    hers.ensure("notes", "").await.unwrap();
    hers.ensure("notes", "").await.unwrap();
    let note = NewDocument {
        text: "Remember the milk".to_owned(),
        ..NewDocument::default()
    };
    let made = hers.put("notes", vec![note]).await.unwrap();
    let search = || Search {
        look: Look::Words("milk".to_owned()),
        limit: 5,
        filter: None,
    };
    let found = hers.search("notes", search()).await.unwrap();
    assert_eq!((found.len(), &found[0].id), (1, &made[0]));
    assert_eq!(hers.count("notes").await.unwrap(), 1);
    let range = nodetool_sdk::collections::DocumentRange {
        limit: 9,
        ..Default::default()
    };
    let documents = hers.documents("notes", range).await.unwrap();
    assert_eq!(documents[0].text, "Remember the milk");
    let his = service.of(&bob);
    let told = his.search("notes", search()).await.unwrap_err().to_string();
    assert_eq!(told, "There is no collection 'notes'");
    assert!(his.count("notes").await.is_err());
}
