// Verifies a sigstore bundle with a public key by the JavaScript verifier that npm carries inside itself.
// Usage: node verify_bundle.mjs NPM_FOLDER BUNDLE KEY
import fs from 'node:fs'
import { createPublicKey } from 'node:crypto'
import { createRequire } from 'node:module'

const [npm, bundlePath, keyPath] = process.argv.slice(2)
const require = createRequire(`${npm}/package.json`)
const { bundleFromJSON } = require('@sigstore/bundle')
const { Verifier, toSignedEntity } = require('@sigstore/verify')
const key = createPublicKey(fs.readFileSync(keyPath))
const trusted = {
  certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [],
  publicKey: () => ({ publicKey: key, validFor: () => true }),
}
const verifier = new Verifier(trusted, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0, tsaThreshold: 0 })
verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(fs.readFileSync(bundlePath, 'utf8')))))
