package acm

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

type importInput struct {
	CertificateArn   string
	Certificate      []byte
	PrivateKey       []byte
	CertificateChain []byte
	Tags             []tag
}

// The bounds of what is imported, in bytes of PEM: AWS's.
const (
	maxPEM   = 32 << 10
	maxKey   = 5 << 10
	maxChain = 2 << 20
)

// importCertificate takes a certificate with its key, or renews an imported one under its ARN.
func (s *Service) importCertificate(call *operation.Call, in *importInput) (*named, error) {
	tags, err := newTags(call, in.Tags)
	if err != nil {
		return nil, err
	}
	arn := in.CertificateArn
	if arn == "" {
		arn = s.arn("*")
	} else if len(tags) > 0 {
		return nil, invalid("You cannot apply tags when re-importing a certificate.")
	}
	if err := s.permitMade(call, arn, len(tags) > 0); err != nil {
		return nil, err
	}
	now := s.now()
	made, err := in.record(now)
	if err != nil {
		return nil, err
	}
	made.Tags, made.CreatedAt, made.IssuedAt = tags, now, now
	if made.ARN = in.CertificateArn; made.ARN == "" {
		made.ARN = s.arn(wire.NewRequestID())
	}
	err = s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		c := made
		if in.CertificateArn != "" {
			there, err := certificate(tx, in.CertificateArn)
			switch {
			case err != nil:
				return err
			case !there.Imported:
				return invalid("Certificate %s was not imported: it cannot be imported again.", there.ARN)
			case there.KeyAlgorithm != c.KeyAlgorithm:
				return invalid("The key algorithm of the imported certificate must not change: %s is not %s.", c.KeyAlgorithm,
					there.KeyAlgorithm)
			}
			c.Tags, c.CreatedAt = there.Tags, there.CreatedAt
		}
		return put(tx, c)
	})
	if err != nil {
		return nil, wrap(call, err)
	}
	return &named{made.ARN}, nil
}

// put stores a certificate, unless there are too many.
func put(tx *state.Txn, c region.Certificate) error {
	if _, there := region.Certificates.Get(tx, c.ARN); !there && !region.Certificates.Part("").Fewer(tx, maxCertificates) {
		return refuse("LimitExceededException", "The account has %d certificates already: delete one.", maxCertificates)
	}
	region.Certificates.Put(tx, c.ARN, c)
	return nil
}

// permitMade refuses a call that makes a certificate where the caller may not.
func (s *Service) permitMade(call *operation.Call, arn string, tagged bool) error {
	if arn != s.arn("*") {
		return s.permit(call, arn)
	}
	if err := call.Authorize(wire.AWSJSON, Name+":"+call.Operation, arn); err != nil || !tagged {
		return err
	}
	return call.Authorize(wire.AWSJSON, Name+":AddTagsToCertificate", arn)
}

// record is what is imported as a record, or AWS's refusal.
func (in *importInput) record(now time.Time) (region.Certificate, error) {
	var none region.Certificate
	switch {
	case len(in.Certificate) == 0 || len(in.Certificate) > maxPEM:
		return none, invalid("The certificate field must have 1 to %d bytes.", maxPEM)
	case len(in.PrivateKey) == 0 || len(in.PrivateKey) > maxKey:
		return none, invalid("The private key field must have 1 to %d bytes.", maxKey)
	case len(in.CertificateChain) > maxChain:
		return none, invalid("The certificate chain field must have up to %d bytes.", maxChain)
	}
	certs, err := parse(in.Certificate)
	switch {
	case err != nil || len(certs) == 0:
		return none, invalid("The certificate is not PEM-encoded or is not valid.")
	case len(certs) > 1:
		return none, invalid("The certificate field contains more than one certificate. You can specify only one certificate in " +
			"this field.")
	}
	chain, err := parse(in.CertificateChain)
	if err != nil || len(chain) == 0 && len(in.CertificateChain) > 0 {
		return none, invalid("The certificate chain is not PEM-encoded or is not valid.")
	}
	if block, _ := pem.Decode(in.PrivateKey); block == nil || block.Headers["DEK-Info"] != "" || block.Type ==
		"ENCRYPTED PRIVATE KEY" {
		return none, invalid("The private key is not PEM-encoded, is encrypted, or is not valid.")
	}
	if _, err := tls.X509KeyPair(in.Certificate, in.PrivateKey); err != nil {
		return none, invalid("The private key does not match the public key of the certificate, or is not valid.")
	}
	cert := certs[0]
	if len(chain) > 0 && cert.CheckSignatureFrom(chain[0]) != nil && !bytes.Equal(cert.Raw, chain[0].Raw) {
		return none, invalid("Could not validate the certificate with the certificate chain.")
	}
	algorithm := algorithmOf(cert.PublicKey)
	switch {
	case now.After(cert.NotAfter):
		return none, invalid("The certificate is expired: it was valid until %s.", cert.NotAfter.UTC().Format(time.RFC3339))
	case algorithm == "":
		return none, invalid("The key algorithm of the certificate is not supported.")
	}
	c := region.Certificate{Imported: true, Domain: cert.Subject.CommonName, Names: cert.DNSNames, KeyAlgorithm: algorithm,
		NotBefore: cert.NotBefore, NotAfter: cert.NotAfter, Cert: string(in.Certificate), Chain: string(in.CertificateChain),
		Key: string(in.PrivateKey)}
	if c.Domain == "" && len(c.Names) > 0 {
		c.Domain = c.Names[0]
	}
	if c.Domain != "" && !slices.Contains(c.Names, c.Domain) {
		c.Names = append([]string{c.Domain}, c.Names...)
	}
	return c, nil
}

// parse reads all certificates of a text in PEM, which has nothing else.
func parse(text []byte) (all []*x509.Certificate, err error) {
	for len(bytes.TrimSpace(text)) > 0 {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil || block.Type != "CERTIFICATE" {
			return nil, errors.New("not a certificate in PEM")
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, cert)
	}
	return all, nil
}

// algorithmOf is the name that ACM has for a key's algorithm, as DescribeCertificate shows it; empty: it takes none such.
func algorithmOf(key crypto.PublicKey) string {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if size := key.N.BitLen(); size == 1024 || size == 2048 || size == 3072 || size == 4096 {
			return fmt.Sprintf("RSA-%d", size)
		}
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return "EC-prime256v1"
		case elliptic.P384():
			return "EC-secp384r1"
		case elliptic.P521():
			return "EC-secp521r1"
		}
	}
	return ""
}
