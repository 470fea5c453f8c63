package region

import (
	"time"

	"tripod/state"
)

// Certificate is a certificate of AWS Certificate Manager: an imported one, or one that Tripod's own authority issued.
// Its key is as safe as the other secrets of the region: it is in the regional state alone.
type Certificate struct {
	ARN       string    `json:"arn"`
	Domain    string    `json:"domain"`
	Names     []string  `json:"names,omitempty"` // the domain too
	Imported  bool      `json:"imported,omitempty"`
	Status    string    `json:"status"` // PENDING_VALIDATION or ISSUED; others follow from the time
	CreatedAt time.Time `json:"createdAt"`
	// IssuedAt is when it was issued or imported, and RevokedAt when it was revoked.
	IssuedAt     time.Time `json:"issuedAt,omitzero"`
	RevokedAt    time.Time `json:"revokedAt,omitzero"`
	RevokeReason string    `json:"revokeReason,omitempty"`

	// Cert, Chain and Key are in PEM. Chain may be empty. Key is not encrypted.
	Cert  string `json:"cert,omitempty"`
	Chain string `json:"chain,omitempty"`
	Key   string `json:"key,omitempty"`

	KeyAlgorithm     string `json:"keyAlgorithm"`               // such as RSA_2048
	ValidationMethod string `json:"validationMethod,omitempty"` // DNS, EMAIL or HTTP
	// Token is the caller's for the same request, which is answered by the same certificate.
	Token string `json:"token,omitempty"`
	// Transparency is ENABLED or DISABLED, and Exportable says that its key can be exported.
	Transparency string `json:"transparency,omitempty"`
	Exportable   bool   `json:"exportable,omitempty"`
	Authority    string `json:"authority,omitempty"` // the private authority's ARN that was asked for

	Tags map[string]string `json:"tags,omitempty"`
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
