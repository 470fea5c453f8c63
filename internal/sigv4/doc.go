// Package sigv4 verifies AWS Signature Version 4, in the Authorization header and in a presigned URL's query.
//
// It is written from the specification ("Signature Version 4 signing process", IAM User Guide), not from a
// signer: a verifier that shares its canonical form with the signer proves nothing. Its tests sign with the AWS SDK.
//
// Parse reads what a request claims, without believing it; Signature.Verify believes it or says why not.
// Between the two the caller looks the access key up.
package sigv4
