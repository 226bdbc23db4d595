//! Every command: as it is signed, byte for byte; and nothing else is read as one.

#![allow(clippy::unwrap_used)]

use seal::{
    dsse::{Envelope, EnvelopeError, payload_type, sign, sign_bytes},
    key::SecretKey,
};
use std::collections::BTreeSet;
use vocabulary::command::*;

const STUDY: &str = "09090909-0909-0909-0909-090909090909";
const REQUEST: &str = "08080808-0808-0808-0808-080808080808";

fn key() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

/// The payload with these fields of its own, and in them `HASH` for a hash and `KEY` for a key.
fn payload(own: &str) -> String {
    let own = own.replace("HASH", &"ab".repeat(32)).replace("KEYID", &key().public().id().to_string());
    let own = own.replace("KEY", &key().public().to_string());
    format!(r#"{{"study":"{STUDY}","request":"{REQUEST}","by":"ann","time":5{own}}}"#)
}

fn read<P: Payload>(json: &str) -> Result<P, EnvelopeError> {
    let bytes = sign_bytes(&payload_type(P::KIND), json.as_bytes().to_vec(), &[&key()]);
    Envelope::parse(&bytes).unwrap().payload::<P>()
}

/// Every `{` of the text gets an unknown field, one at a time.
fn with_unknown_fields(json: &str) -> impl Iterator<Item = String> + '_ {
    json.match_indices('{').map(|(place, _)| format!("{}{{\"zz\":null,{}", &json[..place], &json[place + 1..]))
}

/// Checks each spelling of a command's own fields; gives its kind.
fn check<P: Payload + PartialEq + std::fmt::Debug>(spellings: &[&str]) -> &'static str {
    for own in spellings {
        let json = payload(own);
        let command: P = read(&json).unwrap_or_else(|error| panic!("{}: {error}: {json}", P::KIND));
        let signed = sign(&command, &[&key()]);
        let envelope = Envelope::parse(&signed).unwrap();
        assert_eq!(envelope.payload_type(), format!("application/vnd.trialseal.{}.v1+json", P::KIND));
        assert_eq!(std::str::from_utf8(envelope.payload_bytes()), Ok(json.as_str()));
        assert_eq!(envelope.verify(&key().public()), Ok(()));
        assert_eq!(envelope.payload::<P>(), Ok(command.clone_of()));
        // What is accepted can be shown as a record.
        let strict = Envelope::parse_strict(&signed).unwrap();
        assert_eq!(strict.payload_strict::<P>(), Ok(command.clone_of()));
        let any = strict.any_payload().unwrap();
        assert_eq!((any.text.as_str(), any.by.as_str(), any.time), (json.as_str(), "ann", Some(5)));
        assert_eq!(any.study.to_string(), STUDY);
        assert_eq!((command.by().as_str(), command.time()), ("ann", 5));
        assert_eq!((command.study().to_string(), command.request().to_string()), (STUDY.into(), REQUEST.into()));
        for bad in with_unknown_fields(&json) {
            assert!(matches!(read::<P>(&bad), Err(EnvelopeError::Payload(_))), "{bad}");
        }
        // A field twice, and none of the fields all have.
        assert!(read::<P>(&json.replacen('{', "{\"time\":5,", 1)).is_err());
        assert!(read::<P>(&json.replacen("\"by\":\"ann\",", "", 1)).is_err());
        // Fields that may be absent are absent, not null; both mean the same to a reader, one is written.
        assert!(!json.contains("null"));
    }
    P::KIND
}

/// The command read once more: not every command is `Clone` to a generic caller.
trait CloneOf: Payload {
    fn clone_of(&self) -> Self {
        serde_json::from_slice(&serde_json::to_vec(self).unwrap()).unwrap()
    }
}

impl<P: Payload> CloneOf for P {}

const APPROVAL: &str = r#"{"reference":"IRB-1","date":"2026-01-15","body":"Ethics board"}"#;

fn study_commands() -> Vec<&'static str> {
    let amended = format!(r#","version":"2","document":"HASH","effective":7,"amends":"1","approval":{APPROVAL}"#);
    let approved = format!(r#","site":"701","protocol":"1","approval":{APPROVAL}"#);
    vec![
        check::<CreateStudy>(&[r#","name":"S","root_key":"KEY""#, r#","name":"S","root_key":"KEY","rules":2"#]),
        check::<AddProtocolVersion>(&[r#","version":"1","document":"HASH","effective":7"#, &amended]),
        check::<AddSite>(&[r#","site":"701","title":"A site""#]),
        check::<ActivateSite>(&[r#","site":"701""#, r#","site":"701","reason":"visited""#]),
        check::<CloseSite>(&[r#","site":"701""#, r#","site":"701","reason":"done""#]),
        check::<PauseSite>(&[r#","site":"701","reason":"no staff""#]),
        check::<RecordSiteApproval>(&[&approved]),
        check::<SetStudyState>(&[r#","state":"paused","reason":"safety""#, r#","state":"open","reason":"ready""#]),
        check::<SetCap>(&[r#","site":"*","participants":40"#]),
        check::<AddArm>(&[r#","arm":"A","title":"Active""#]),
        check::<DefineCriteria>(&[concat!(
            r#","version":"1","protocol":"1","items":[{"item":"AGE","type":"integer","max_length":3,"min":0.0,"#,
            r#""max":120.0,"codes":["1"],"mandatory":true}],"criteria":[{"criterion":"INCL01","kind":"inclusion","#,
            r#""text":"Adult","expression":"AGE >= 18"}]"#
        )]),
        check::<CommitAllocation>(&[
            concat!(
                r#","allocation":"L1","scheme":{"arms":[{"arm":"A","weight":2}],"factors":[{"factor":"sex","#,
                r#""levels":["f","m"]}],"method":{"permuted_blocks":{"slots":9}}},"commitment":"HASH","root":"HASH""#
            ),
            concat!(
                r#","allocation":"L1","scheme":{"arms":[],"factors":[],"method":{"minimisation":{"weights":[1],"#,
                r#""probability_permille":800,"measure":"range"}}},"commitment":"HASH""#
            ),
        ]),
        check::<RevealAllocation>(&[r#","allocation":"L1","seed":"HASH","block_sizes":[4,6]"#]),
    ]
}

fn people_commands() -> Vec<&'static str> {
    let (site, representative) = (r#","participant":"P-1","site":"701""#, r#","actor":"R-1","relation":"parent""#);
    let at = |rest: &str| format!("{site}{rest}");
    let delegated = r#","actor":"bob","task":"override_eligibility","site":"*","from":1,"until":9"#;
    let training = r#","training":{"reference":"GCP","completed":"2026-01-01","certificate":"HASH"}"#;
    let screened = r#","criteria":"1","root":"HASH","count":1,"outcomes":[{"criterion":"INCL01","outcome":"not_met"}]"#;
    vec![
        check::<RegisterActor>(&[r#","actor":"lab","kind":"organisation","key":"KEY""#]),
        check::<RotateKey>(&[r#","key":"KEY""#]),
        check::<RevokeKey>(&[r#","key":"KEYID","reason":"lost""#]),
        check::<Delegate>(&[delegated, &format!("{delegated}{training}")]),
        check::<EndDelegation>(&[r#","actor":"bob","task":"see_allocation","site":"701","reason":"left""#]),
        check::<EnrolParticipant>(&[&at(r#","key":"KEY""#)]),
        check::<WithdrawParticipant>(&[&at(r#","reason":"adverse_event""#)]),
        check::<ScreenParticipant>(&[&at(r#","key":"KEY""#), &at(r#","key":"KEY","token":"HASH""#)]),
        check::<RecordStage>(&[&at(r#","stage":"lost_to_follow_up","reason":"three calls""#)]),
        check::<RegisterRepresentative>(&[&at(&format!(r#"{representative},"key":"KEY""#))]),
        check::<EndRepresentation>(&[&at(r#","actor":"R-1","reason":"of age""#)]),
        check::<LinkParticipants>(&[r#","participant":"P-1","earlier":"P-0","reason":"one person""#]),
        check::<ClearMatch>(&[r#","participant":"P-1","reason":"twins""#]),
        check::<RecordScreening>(&[&at(screened), &at(&format!(r#"{screened},"overridden":"waiver""#))]),
        check::<Randomise>(&[&at(r#","allocation":"L1","levels":["f"]"#)]),
        check::<Unblind>(&[&at(r#","reason":"overdose","notified":["medical monitor"]"#)]),
    ]
}

fn consent_commands() -> Vec<&'static str> {
    let published =
        format!(r#","document":"ICF","version":"2","language":"en","content":"HASH","approval":{APPROVAL}"#);
    let terms = |rest: &str, after: &str| {
        format!(
            concat!(
                r#"{},"terms":{{"title":"ICF"{},"effective":7,"provisions":[{{"provision":"genetics","mandatory":false,"#,
                r#""days":9}},{{"provision":"data_collection","mandatory":true}}]{}"#
            ),
            published,
            if rest.is_empty() { "" } else { r#","sites":["701"]"# },
            after
        )
    };
    let full = terms(
        "sites",
        concat!(
            r#","quiz":{"questions":[{"question":"Q1","text":"?","choices":["no","yes"],"right":1}],"pass":1},"#,
            r#""supersedes":[{"version":"1","language":"en"}],"reconsent":{"by":8,"meanwhile":"warn","then":"stop"},"#,
            r#""parents":2,"representative":true,"remote":true,"deferral_ms":9,"notice":{"controller":"Sponsor","#,
            r#""contact":"dpo","storage":["SE"],"retention":"25 years","jurisdiction":"EU","lawful_basis":"law"}}"#
        ),
    );
    let spare = terms("", r#","parents":0,"representative":false,"remote":false}"#);
    let given = concat!(
        r#","participant":"P-1","site":"701","document":"ICF","version":"1","language":"en","#,
        r#""provisions":["data_collection","data_sharing:research:A registry"],"synthetic":false"#
    );
    let capacity = |capacity: &str, rest: &str| format!(r#"{given},"manner":{{"capacity":{capacity}{rest}}}"#);
    let aside = r#","witness":"R-1","remote":"video","answers":[{"question":"Q1","choice":1}]"#;
    let minor = |assent: &str| format!(r#"{{"minor":{{"parents":["R-1","R-2"],"assent":{assent},"majority":9}}}}"#);
    let site = |rest: &str| format!(r#","participant":"P-1","site":"701"{rest}"#);
    vec![
        check::<PublishDocument>(&[&published, &full, &spare]),
        check::<GiveConsent>(&[
            given,
            &capacity(r#""participant""#, aside),
            &capacity(r#"{"site_device":{"device":"tablet","evidence":"HASH"}}"#, ""),
            &capacity(r#"{"representative":{"actor":"R-1"}}"#, ""),
            &capacity(&minor(r#""signed""#), ""),
            &capacity(&minor(r#"{"not_able":"newborn"}"#), ""),
            &capacity(r#"{"deferred":{"reason":"coma","deadline":9}}"#, ""),
        ]),
        check::<WithdrawConsent>(&[
            &site(r#","provisions":["genetics"]"#),
            &site(r#","provisions":[],"scope":"further_collection","collected":"kept""#),
            &site(r#","provisions":[],"scope":"everything","collected":{"erase":"GDPR 17"}"#),
        ]),
        check::<GrantAccess>(&[
            &site(r#","grant":"G","grantee":"lab","categories":["genetics"],"purpose":"p","from":1,"until":2"#),
            &site(
                r#","grant":"G","grantee":"lab","categories":["genetics"],"purpose":"p","from":1,"until":2,"uses":3"#,
            ),
        ]),
        check::<RevokeAccess>(&[&site(r#","grant":"G""#)]),
        check::<AccessData>(&[
            &site(r#","purpose":"p""#),
            &site(r#","categories":["genetics"],"purpose":"p","grant":"G""#),
            &site(r#","purpose":"p","only":{"entry":3,"item":"SYSBP"}"#),
            &site(r#","purpose":"p","only":{"entry":3,"item":"SYSBP","repeat":"1"}"#),
        ]),
        check::<RequestConsent>(&[&site(r#","source":"fhir-r4","content":"HASH","provisions":[]"#)]),
    ]
}

fn capture_commands() -> Vec<&'static str> {
    let items = r#""items":[{"item":"SYSBP","type":"integer","mandatory":true}]"#;
    let instance = r#"{"participant":"P-1","event":"V1","event_repeat":0,"form":"VS","form_repeat":1}"#;
    let submitted = format!(r#","site":"701","instance":{instance},"forms_version":"1","root":"HASH","count":1"#);
    let corrected = r#","collected":"2026-11","corrects":4,"reason":"misread","provision":"genetics""#;
    let redacted = |repeat: &str| {
        format!(
            r#","participant":"P-1","site":"701","entry":3,"index":0,"item":"NAME"{repeat},"reason":"a name","second":"bob""#
        )
    };
    vec![
        check::<DefineForms>(&[
            &format!(r#","version":"1","forms":[{{"form":"VS",{items}}}]"#),
            &format!(r#","version":"1","forms":[{{"form":"GX",{items},"provision":"genetics"}}]"#),
            &format!(
                r#","version":"1","forms":[{{"form":"VS",{items}}}],"events":[{{"event":"V1","forms":["VS"]}},{{"event":"V2"}}]"#
            ),
        ]),
        check::<Submission>(&[&submitted, &format!("{submitted}{corrected}")]),
        check::<RedactValue>(&[&redacted(""), &redacted(r#","repeat":"1""#)]),
        check::<EraseParticipant>(&[r#","participant":"P-1","site":"701","entries":[1,4],"order":"O","law":"L""#]),
    ]
}

#[test]
fn every_command_is_read_as_signed_and_with_no_field_unknown() {
    let kinds = [study_commands(), people_commands(), consent_commands(), capture_commands()].concat();
    let different: BTreeSet<&str> = kinds.iter().copied().collect();
    let table: BTreeSet<&str> = vocabulary::command::kinds().map(|kind| kind.name).collect();
    assert_eq!((kinds.len(), different), (40, table));
    // An entry's kind: lower-case letters and hyphens.
    assert!(kinds.iter().all(|kind| kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')));
}

#[test]
fn a_command_is_not_read_as_another() {
    let bytes = sign_bytes(&payload_type("pause-site"), payload(r#","site":"701","reason":"x""#).into(), &[&key()]);
    let envelope = Envelope::parse(&bytes).unwrap();
    assert!(envelope.payload::<PauseSite>().is_ok());
    assert!(matches!(envelope.payload::<CloseSite>(), Err(EnvelopeError::PayloadType { .. })));
}

#[test]
fn a_submission_rests_on_data_collection_unless_it_says_otherwise() {
    let own = r#","site":"701","instance":{"participant":"P-1","event":"V1","event_repeat":0,"form":"VS","form_repeat":0},"forms_version":"1","root":"HASH","count":1"#;
    let submission: Submission = read(&payload(own)).unwrap();
    assert_eq!(submission.rests_on(), Provision::data_collection());
    let genetics = read::<Submission>(&payload(&format!(r#"{own},"provision":"genetics""#))).unwrap();
    assert_eq!(genetics.rests_on().as_str(), "genetics");
    assert!(read::<Submission>(&payload(&format!(r#"{own},"provision":"genetics:brca""#))).is_err());
}
