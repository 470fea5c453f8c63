package region

import (
	"time"

	"tripod/state"
)

// Certificate is a certificate of AWS Certificate Manager: an imported one, or one that the region's own authority issued.
// Its key is as safe as the other secrets of the region: it is in the regional state alone.
type Certificate struct {
	ARN       string    `json:"arn"`
	Domain    string    `json:"domain"`
	Names     []string  `json:"names,omitempty"` // the domain too
	Imported  bool      `json:"imported,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
	// IssuedAt is when it is issued, or was imported the last time: until then it is of no use.
	IssuedAt  time.Time `json:"issuedAt"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`

	// Cert, Chain and Key are in PEM. Chain may be empty. Key is not encrypted.
	Cert  string `json:"cert"`
	Chain string `json:"chain,omitempty"`
	Key   string `json:"key"`

	KeyAlgorithm     string `json:"keyAlgorithm"`               // such as RSA-2048
	ValidationMethod string `json:"validationMethod,omitempty"` // DNS, EMAIL or HTTP
	// Token is the caller's for the same request, which is answered by the same certificate.
	Token        string `json:"token,omitempty"`
	Transparency string `json:"transparency,omitempty"` // ENABLED or DISABLED

	Tags map[string]string `json:"tags,omitempty"`
}

// CertificateStatus is a certificate's status: Status of the API.
type CertificateStatus string

// The statuses of certificates.
const (
	CertificatePending CertificateStatus = "PENDING_VALIDATION"
	CertificateIssued  CertificateStatus = "ISSUED"
	CertificateExpired CertificateStatus = "EXPIRED"
)

// Status follows from the time.
func (c Certificate) Status(now time.Time) CertificateStatus {
	switch {
	case now.Before(c.IssuedAt):
		return CertificatePending
	case now.After(c.NotAfter):
		return CertificateExpired
	}
	return CertificateIssued
}

// CertificateAuthority signs the certificates that ACM issues in this region.
type CertificateAuthority struct {
	Cert string `json:"cert"` // PEM, as Key
	Key  string `json:"key"`
}

var (
	Certificates = state.NewTable[Certificate]("certificate") // by ARN
	// CertificateIssuers has one record, with the key CertificateIssuer.
	CertificateIssuers = state.NewTable[CertificateAuthority]("certificate-issuer")
)

// CertificateIssuer is the key of the region's certificate authority in CertificateIssuers.
const CertificateIssuer = "acm"

// CertificateUsers are the ARNs of the load balancers with a listener that shows the certificate.
func CertificateUsers(tx *state.Txn, arn string) (users []string) {
	for _, b := range BalancersByCertificate.Of(arn).List(tx) {
		users = append(users, b.ARN)
	}
	for _, l := range ListenersByCertificate.Of(arn).List(tx) {
		users = append(users, l.LoadBalancer)
	}
	return distinct(users)
}
