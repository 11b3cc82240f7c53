// Leads a client through all cases of `framewire-echo --check-client`, in Autobahn's protocol. `visit` connects to a URL, echoes each
// message, and returns once the connection has ended; `agent` is the name in the report.
"use strict";

// More than the server takes for a case: a client that hangs is given up, and the next case begins.
const PATIENCE = 60000;

exports.lead = async (agent, visit) => {
  const url = process.argv[2].replace(/\/$/, "");
  const name = `agent=${encodeURIComponent(agent)}`;
  let count = 0;
  await within(visit(`${url}/getCaseCount`, data => (count ||= Number(data))));
  for (let at = 1; at <= count; at++) {
    const ended = await within(visit(`${url}/runCase?case=${at}&${name}`));
    if (!ended) console.log(`case ${at} does not end`);
  }
  await within(visit(`${url}/updateReports?${name}`));
  console.log(`${agent}: ${count} cases`);
  process.exit(count ? 0 : 1);
};

const within = visited => {
  let timer;
  const late = new Promise(resolve => (timer = setTimeout(() => resolve(false), PATIENCE)));
  return Promise.race([visited.then(() => true), late]).finally(() => clearTimeout(timer));
};
