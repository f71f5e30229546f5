/**
 * The one worker that may reach other hosts, by the policy that the service worker gives to this
 * address alone (py/onglet_build/policy.py). What it does is in files/worker.js.
 */
import "./@code@files/worker.js";
