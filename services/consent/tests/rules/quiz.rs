//! Comprehension questions.

use crate::*;
use vocabulary::command::{Answer, Question, Quiz};

/// Three questions of which two must be answered rightly; the right answer is the question's number.
fn asked() -> Study {
    let question = |number: u8| Question {
        question: name(&format!("Q{number}")),
        text: "Which?".to_owned(),
        choices: vec!["this".to_owned(), "that".to_owned(), "neither".to_owned()],
        right: number,
    };
    Study::with(Terms { quiz: Some(Quiz { questions: (0..3).map(question).collect(), pass: 2 }), ..terms() })
}

fn answering(capacity: Capacity, answers: &[(&str, u8)]) -> GiveConsent {
    let answer = |(question, choice): &(&str, u8)| Answer { question: name(question), choice: *choice };
    let answers = answers.iter().map(answer).collect();
    GiveConsent {
        manner: Some(Manner { answers, ..manner(capacity.clone()) }),
        ..giving(&["data_collection"], capacity)
    }
}

fn answered(answers: &[(&str, u8)]) -> Result<Changes, Refusal> {
    asked().run(&answering(Capacity::Participant, answers), &["ann", PARTICIPANT])
}

#[test]
fn enough_questions_are_answered_rightly() {
    answered(&[("Q0", 0), ("Q1", 1), ("Q2", 2)]).unwrap();
    answered(&[("Q2", 2), ("Q0", 0), ("Q1", 0)]).unwrap();
    refuses(answered(&[("Q0", 0), ("Q1", 0), ("Q2", 0)]), Refusal::QuizNotPassed { right: 1, needed: 2 });
    refuses(answered(&[("Q0", 9), ("Q1", 9), ("Q2", 9)]), Refusal::QuizNotPassed { right: 0, needed: 2 });
}

#[test]
fn every_question_is_answered_once() {
    for answers in [
        &[][..],
        &[("Q0", 0), ("Q1", 1)],
        &[("Q0", 0), ("Q1", 1), ("Q1", 1)],
        &[("Q0", 0), ("Q1", 1), ("Q2", 2), ("Q2", 2)],
        &[("Q0", 0), ("Q1", 1), ("Q2", 2), ("Q3", 3)],
        &[("Q0", 0), ("Q1", 1), ("Q3", 2)],
    ] {
        malformed("manner.answers", answered(answers));
    }
}

#[test]
fn answers_are_given_only_where_questions_were_asked() {
    let unasked = answering(Capacity::Participant, &[("Q0", 0)]);
    malformed("manner.answers", Study::new().run(&unasked, &["ann", PARTICIPANT]));
    // In an emergency nobody is asked.
    let deferred = Capacity::Deferred { reason: name("coma"), deadline: NOW + 1 };
    malformed("manner.answers", asked().run(&answering(deferred.clone(), &[("Q0", 0)]), &["ann"]));
    asked().run(&answering(deferred, &[]), &["ann"]).unwrap();
    // Whoever consents for the participant answers.
    let legal = Capacity::Representative { actor: name(LEGAL) };
    malformed("manner.answers", asked().run(&answering(legal, &[]), &["ann", LEGAL]));
}
