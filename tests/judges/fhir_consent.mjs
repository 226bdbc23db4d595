// Judges FHIR R4 Consents with npm `fhir`: structure, unexpected elements, and codes against the value sets of R4.
//
// Where the package falls short, it is helped, and still does the judging:
// - it brings no expansion of value sets that are defined by a hierarchy. Those our exports use are added, as the
//   specification lists them (http://hl7.org/fhir/R4/v3/PurposeOfUse/vs.html, valueset-relatedperson-relationshiptype.html);
// - it does not look into nested provisions. Each is judged in the place of the root provision.
//
// Usage: node fhir_consent.mjs FOLDER FILE
//   FOLDER: where node_modules is.  FILE: JSON, a list of {"name", "resource"}
// Prints an object: the name of each, and its errors and warnings.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const [folder, file] = process.argv.slice(2);
const { Fhir, ParseConformance, Versions } = createRequire(`${resolve(folder)}/`)('fhir');

const PURPOSES = `PurposeOfUse HMARKT HOPERAT CAREMGT DONAT FRAUD GOV HACCRED HCOMPL HDECD HDIRECT HDM HLEGAL HOUTCOMS HPRGRP
  HQUALIMP HSYSADMIN LABELING METAMGT MEMADMIN MILCDM PATADMIN PATSFTY PERFMSR RECORDMGT SYSDEV HTEST TRAIN HPAYMT CLMATTCH
  COVAUTH COVERAGE ELIGDTRM ELIGVER ENROLLM MILDCRG REMITADV HRESCH BIORCH CLINTRCH CLINTRCHNPC CLINTRCHPC PRECLINTRCH
  DSRCH POARCH TRANSRCH PATRQT FAMRQT PWATRNY SUPNWK PUBHLTH DISASTER THREAT TREAT CLINTRL COC ETREAT BTG ERTREAT POPHLTH`;

const parser = new ParseConformance(true, Versions.R4);
const system = (name, words) => ({
  uri: `http://terminology.hl7.org/CodeSystem/${name}`,
  codes: words.split(/\s+/).map((code) => ({ code })),
});
const sets = parser.parsedValueSets;
sets['http://terminology.hl7.org/ValueSet/v3-PurposeOfUse'] = { systems: [system('v3-ActReason', PURPOSES)] };
sets['http://hl7.org/fhir/ValueSet/relatedperson-relationshiptype'] = {
  systems: [system('v3-RoleCode', 'FAMMEMB PRN FTH MTH NPRN NFTH NMTH PRNFOST STPPRN')],
};
const fhir = new Fhir(parser);

// Meta.tag and Consent.provision.code are bound to these as examples only: any code is valid, but the package warns.
const EXAMPLES = ['common-tags', 'consent-content-code'].map((name) => `http://hl7.org/fhir/ValueSet/${name}`);
const options = { errorOnUnexpected: true, beforeCheckCode: (valueSet) => EXAMPLES.includes(valueSet) };

const nested = (provision) => (provision?.provision ?? []).flatMap((one) => [one, ...nested(one)]);

const found = (resource, where) => {
  const { valid, messages } = fhir.validate(resource, options);
  const wrong = messages.filter(({ severity }) => severity !== 'info');
  if (!valid && wrong.length === 0) wrong.push({ severity: 'error', location: '', message: 'not valid' });
  return wrong.map(({ severity, location, message }) => `${severity} ${where}${location}: ${message}`);
};

const judge = ({ resource }) => [
  ...found(resource, ''),
  ...nested(resource.provision).flatMap((provision, n) => found({ ...resource, provision }, `rule ${n} `)),
];

const cases = JSON.parse(readFileSync(file, 'utf8'));
console.log(JSON.stringify(Object.fromEntries(cases.map((one) => [one.name, judge(one)]))));
