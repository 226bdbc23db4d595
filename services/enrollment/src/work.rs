//! Work that takes a while: on threads that serve nobody, a few at a time.
//!
//! Compiled criteria are kept, for they are public to the study and cost 200 ms at their largest. Allocation lists are not:
//! a list is as secret as its seed, an arm is looked up rarely, and a list in memory would stay for whoever gets hold of a
//! dump of the process long after the call. Each look-up makes it anew (80 ms at 100,000 slots) and wipes it.

use eligibility::{Criteria, Fault};
use moka::sync::Cache;
use problem::Problem;
use seal::{
    datapoint::Datapoint,
    id::{Name, Uuid},
};
use std::{sync::Arc, thread::available_parallelism};
use tokio::{sync::Semaphore, task::spawn_blocking};
use vocabulary::{
    command::ItemDef,
    eligibility::{Criterion, CriterionOutcome},
};

/// The most bytes of compiled criteria that are kept, about.
const KEPT_BYTES: u64 = 32 << 20;
/// About how many bytes one byte of an expression takes when compiled: a node for every two or three.
const COMPILED: usize = 64;

/// Does work that takes a while. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Work {
    places: Arc<Semaphore>,
    compiled: Cache<(Uuid, Name), Arc<Compiled>>,
    /// On which threads criteria were compiled.
    #[cfg(test)]
    compilations: Arc<std::sync::Mutex<Vec<std::thread::ThreadId>>>,
}

/// Criteria, and what they were compiled to.
struct Compiled {
    items: Vec<ItemDef>,
    criteria: Vec<Criterion>,
    ready: Criteria,
}

impl Work {
    /// Half of the processors' threads may work at once.
    pub(crate) fn new() -> Self {
        let places = available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
        let weight = |_: &(Uuid, Name), compiled: &Arc<Compiled>| u32::try_from(compiled.bytes()).unwrap_or(u32::MAX);
        Self {
            places: Arc::new(Semaphore::new(places)),
            compiled: Cache::builder().max_capacity(KEPT_BYTES).weigher(weight).build(),
            #[cfg(test)]
            compilations: Arc::default(),
        }
    }

    /// Does `work` on a thread of its own, as soon as there is a place. A call that is given up gives up its wait; work that
    /// has begun is finished, and keeps its place until then.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let stops = || Problem::unavailable("STORAGE_UNAVAILABLE", "the service is stopping: try again");
        let place = self.places.clone().acquire_owned().await.map_err(|_| stops())?;
        let done = spawn_blocking(move || {
            let _until_done = place;
            work()
        });
        done.await.map_err(|_| stops())
    }

    /// What the criteria of a version make of `answers`. Compiles them if they are not known.
    pub(crate) async fn evaluate(
        &self,
        version: (Uuid, Name),
        items: Vec<ItemDef>,
        criteria: Vec<Criterion>,
        answers: Vec<Datapoint>,
    ) -> Result<Result<Vec<CriterionOutcome>, Fault>, Problem> {
        let work = self.clone();
        self.run(move || Ok(work.compiled(version, items, criteria)?.ready.evaluate(&answers))).await
    }

    fn compiled(
        &self,
        version: (Uuid, Name),
        items: Vec<ItemDef>,
        criteria: Vec<Criterion>,
    ) -> Result<Arc<Compiled>, Fault> {
        // Compared in full: what is evaluated is what the journal says now, whatever was kept under this name.
        let same = |kept: &Arc<Compiled>| kept.items == items && kept.criteria == criteria;
        if let Some(kept) = self.compiled.get(&version).filter(same) {
            return Ok(kept);
        }
        #[cfg(test)]
        self.compilations.lock().unwrap_or_else(|held| held.into_inner()).push(std::thread::current().id());
        let ready = Criteria::compile(&items, &criteria)?;
        let compiled = Arc::new(Compiled { items, criteria, ready });
        self.compiled.insert(version, compiled.clone());
        Ok(compiled)
    }
}

impl Compiled {
    fn bytes(&self) -> usize {
        let item = |item: &ItemDef| 512 + 3 * item.codes.iter().map(|code| code.len() + 32).sum::<usize>();
        let criterion = |criterion: &Criterion| 512 + criterion.text.len() + COMPILED * criterion.expression.len();
        self.items.iter().map(item).sum::<usize>() + self.criteria.iter().map(criterion).sum::<usize>()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::{sync::mpsc, time::Duration};
    use vocabulary::{
        command::ItemType,
        eligibility::{CriterionKind, Outcome},
    };

    async fn evaluate(
        work: &Work,
        version: (Uuid, Name),
        expression: &str,
        answers: Vec<Datapoint>,
    ) -> Result<Vec<CriterionOutcome>, Fault> {
        let (items, criteria) = age(expression);
        work.evaluate(version, items, criteria, answers).await.unwrap()
    }

    fn age(expression: &str) -> (Vec<ItemDef>, Vec<Criterion>) {
        let item = ItemDef {
            item: "AGE".parse().unwrap(),
            kind: ItemType::Integer,
            max_length: None,
            min: None,
            max: None,
            codes: Vec::new(),
            mandatory: false,
        };
        let criterion = Criterion {
            criterion: "I01".parse().unwrap(),
            kind: CriterionKind::Inclusion,
            text: "Adult".to_owned(),
            expression: expression.to_owned(),
        };
        (vec![item], vec![criterion])
    }

    fn answers(age: &str) -> Vec<Datapoint> {
        let (item, value) = ("AGE".to_owned(), age.to_owned());
        vec![Datapoint { nonce: [0; 16], item, repeat: String::new(), value, unit: String::new() }]
    }

    fn version(study: u8) -> (Uuid, Name) {
        (Uuid([study; 16]), "1".parse().unwrap())
    }

    #[tokio::test] // on one thread
    async fn criteria_are_compiled_once_and_not_on_the_thread_that_serves() {
        let work = Work::new();
        let compilations = || work.compilations.lock().unwrap().clone();
        for (value, outcome) in [("17", Outcome::NotMet), ("18", Outcome::Met), ("", Outcome::Undetermined)] {
            let found = evaluate(&work, version(1), "AGE >= 18", answers(value)).await.unwrap();
            assert_eq!(found[0].outcome, outcome, "{value}");
        }
        assert_eq!(compilations().len(), 1);
        assert!(!compilations().contains(&std::thread::current().id()));

        let other = evaluate(&work, version(2), "AGE >= 65", answers("18")).await.unwrap();
        assert_eq!((other[0].outcome, compilations().len()), (Outcome::NotMet, 2), "another study's");
        let changed = evaluate(&work, version(1), "AGE < 18", answers("18")).await.unwrap();
        assert_eq!(
            (changed[0].outcome, compilations().len()),
            (Outcome::NotMet, 3),
            "never what was kept of other criteria"
        );
        assert!(evaluate(&work, version(1), "AGE >=", answers("18")).await.is_err());
    }

    #[tokio::test] // on one thread
    async fn others_are_served_while_work_is_done_and_only_so_much_is_done_at_once() {
        let work = Work::new();
        let places = work.places.available_permits();
        let ends: Vec<_> = (0..places).map(|_| mpsc::channel::<()>()).collect();
        let (let_go, held): (Vec<_>, Vec<_>) = ends.into_iter().unzip();
        // Each ends when the thread that serves gets to it; on that thread it would never.
        let wait = |end: mpsc::Receiver<()>| work.run(move || end.recv_timeout(Duration::from_secs(60)).is_ok());
        let held = futures_util::future::join_all(held.into_iter().map(wait));
        let serve = async {
            assert_eq!(work.places.available_permits(), 0);
            let mut more = std::pin::pin!(work.run(|| ()));
            assert!(futures_util::poll!(&mut more).is_pending(), "one more waits");
            let_go.iter().for_each(|end| end.send(()).unwrap());
            more.await.unwrap();
        };
        let (ended, ()) = tokio::join!(held, serve);
        assert!(ended.into_iter().all(|ended| ended.unwrap()));
    }
}
