//! Answers that are kept for a while, and asked for once however many wait for them.

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use moka::sync::Cache;
use std::{future::Future, hash::Hash, time::Duration};
use tokio::time::Instant;

/// Answers `A` to questions `Q`. Cheap to clone.
#[derive(Clone)]
pub(super) struct Joint<Q, A, E>(Cache<Q, Asked<A, E>>);

#[derive(Clone)]
struct Asked<A, E> {
    at: Instant,
    answer: Shared<BoxFuture<'static, Result<A, E>>>,
}

impl<Q, A, E> Joint<Q, A, E>
where
    Q: Hash + Eq + Clone + Send + Sync + 'static,
    A: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// Keeps `most` answers at most, each for the time `kept` from when it was asked for.
    pub(super) fn new(most: u64, kept: Duration) -> Self {
        Self(Cache::builder().max_capacity(most).time_to_live(kept).build())
    }

    /// The answer to `question`, and whether it was asked for on behalf of this caller. An answer that was asked for before
    /// the caller came counts only if it `holds` when it is there. Nobody is refused because of what somebody else's
    /// question came to, whose caller may have had less time.
    pub(super) async fn get<F>(
        &self,
        question: &Q,
        ask: impl Fn() -> F,
        holds: impl Fn(&A) -> bool,
    ) -> (Result<A, E>, bool)
    where
        F: Future<Output = Result<A, E>> + Send + 'static,
    {
        let came = Instant::now();
        let is_old = |asked: &Asked<A, E>| match asked.answer.peek() {
            Some(Ok(answer)) => asked.at < came && !holds(answer),
            Some(Err(_)) => true,
            None => false,
        };
        let begin = || Asked { at: Instant::now(), answer: ask().boxed().shared() };
        // What is joined first may be too old when it is there; what is joined then is not.
        for _ in 0..2 {
            let entry = self.0.entry_by_ref(question).or_insert_with_if(begin, is_old);
            let (is_new, asked) = (entry.is_fresh(), entry.into_value());
            match asked.answer.await {
                answer if is_new => return (answer, true),
                Ok(answer) if asked.at >= came || holds(&answer) => return (Ok(answer), false),
                _ => {}
            }
        }
        (ask().await, true)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use futures_util::future::join_all;
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    };
    use tokio::{
        sync::Semaphore,
        task::{JoinHandle, yield_now},
    };

    /// A question whose answers are given one at a time, and how often it was asked.
    #[derive(Clone)]
    struct Asking {
        joint: Joint<u8, usize, usize>,
        asked: Arc<AtomicUsize>,
        answers: Arc<Semaphore>,
    }

    impl Asking {
        fn new() -> Self {
            let joint = Joint::new(10, Duration::from_secs(3_600));
            Self { joint, asked: Arc::default(), answers: Arc::new(Semaphore::new(0)) }
        }

        /// A caller for whom answers hold from the `since`th on, and who is told of the `failing`th that it failed.
        async fn caller(self, since: usize, failing: usize) -> (Result<usize, usize>, bool) {
            let ask = || {
                let this = self.clone();
                async move {
                    let number = this.asked.fetch_add(1, SeqCst) + 1;
                    this.answers.acquire().await.unwrap().forget();
                    if number == failing { Err(number) } else { Ok(number) }
                }
            };
            self.joint.get(&1, ask, |answer| *answer >= since).await
        }

        /// So many callers at once, all of them waiting.
        async fn callers(
            &self,
            count: usize,
            since: usize,
            failing: usize,
        ) -> Vec<JoinHandle<(Result<usize, usize>, bool)>> {
            let callers = (0..count).map(|_| tokio::spawn(self.clone().caller(since, failing))).collect();
            yield_now().await;
            callers
        }

        fn asked(&self) -> usize {
            self.asked.load(SeqCst)
        }
    }

    async fn told(callers: Vec<JoinHandle<(Result<usize, usize>, bool)>>) -> Vec<Result<usize, usize>> {
        join_all(callers).await.into_iter().map(|caller| caller.unwrap().0).collect()
    }

    #[tokio::test]
    async fn a_question_is_asked_once_for_all_who_wait_and_for_those_who_come_while_it_holds() {
        let asking = Asking::new();
        let waiting = asking.callers(50, 1, 0).await;
        assert_eq!(asking.asked(), 1);
        asking.answers.add_permits(1);
        assert_eq!(told(waiting).await, vec![Ok(1); 50]);
        assert_eq!(asking.clone().caller(1, 0).await, (Ok(1), false));
        assert_eq!(asking.asked(), 1);
    }

    #[tokio::test]
    async fn an_answer_that_no_longer_holds_is_asked_for_once_more_for_all_who_had_waited_for_it() {
        let asking = Asking::new();
        let waiting = asking.callers(50, 2, 0).await;
        asking.answers.add_permits(2);
        let told = told(waiting).await;
        // Who asked is told what they asked for, however old it has become meanwhile, as if they had been alone.
        assert_eq!(told.iter().filter(|answer| **answer == Ok(1)).count(), 1);
        assert_eq!(told.iter().filter(|answer| **answer == Ok(2)).count(), 49);
        assert_eq!(asking.asked(), 2);
    }

    #[tokio::test]
    async fn nobody_is_refused_for_what_somebody_elses_question_came_to() {
        let asking = Asking::new();
        let waiting = asking.callers(3, 1, 1).await;
        asking.answers.add_permits(9);
        let told = told(waiting).await;
        assert_eq!(told.iter().filter(|answer| answer.is_err()).count(), 1, "{told:?}");
    }

    #[tokio::test]
    async fn a_caller_who_leaves_does_not_take_the_answer_along() {
        let asking = Asking::new();
        let waiting = asking.callers(2, 1, 0).await;
        let [first, second] = <[_; 2]>::try_from(waiting).unwrap();
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        asking.answers.add_permits(1);
        assert_eq!(second.await.unwrap(), (Ok(1), false));
        assert_eq!(asking.asked(), 1);
    }
}
