package acm

import (
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// seconds is a time as the protocol writes it.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// digest is a fixed text of 32 hex digits.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "/")))
	return hex.EncodeToString(sum[:16])
}

type resourceRecord struct{ Name, Type, Value string }

type domainValidation struct {
	DomainName       string
	ValidationDomain string `json:",omitempty"`
	ValidationStatus string
	ResourceRecord   *resourceRecord `json:",omitempty"`
	ValidationMethod string
}

type keyUsage struct{ Name string }

type extendedKeyUsage struct{ Name, OID string }

type detail struct {
	CertificateArn          string
	DomainName              string
	SubjectAlternativeNames []string
	DomainValidationOptions []domainValidation `json:",omitempty"`
	Serial                  string             `json:",omitempty"`
	Subject                 string             `json:",omitempty"`
	Issuer                  string             `json:",omitempty"`
	CreatedAt               float64
	IssuedAt                *float64 `json:",omitempty"`
	ImportedAt              *float64 `json:",omitempty"`
	Status                  region.CertificateStatus
	NotBefore               *float64 `json:",omitempty"`
	NotAfter                *float64 `json:",omitempty"`
	KeyAlgorithm            string
	SignatureAlgorithm      string `json:",omitempty"`
	InUseBy                 []string
	Type                    string
	KeyUsages               []keyUsage
	ExtendedKeyUsages       []extendedKeyUsage
	RenewalEligibility      string
	Options                 *certificateOptions `json:",omitempty"`
}

type describeOutput struct{ Certificate detail }

func (s *Service) describeCertificate(call *operation.Call, in *named) (*describeOutput, error) {
	out := &describeOutput{}
	return out, s.view(call, in.CertificateArn, func(tx *state.Txn, c region.Certificate) error {
		out.Certificate = s.describe(tx, c)
		return nil
	})
}

func (s *Service) describe(tx *state.Txn, c region.Certificate) detail {
	d := detail{CertificateArn: c.ARN, DomainName: c.Domain, SubjectAlternativeNames: c.Names, CreatedAt: seconds(c.CreatedAt),
		Status: c.Status(s.now()), KeyAlgorithm: c.KeyAlgorithm, InUseBy: append([]string{}, region.CertificateUsers(tx, c.ARN)...),
		Type: typeOf(c), KeyUsages: []keyUsage{}, ExtendedKeyUsages: []extendedKeyUsage{}, RenewalEligibility: "INELIGIBLE"}
	if !c.Imported {
		d.Options = &certificateOptions{CertificateTransparencyLoggingPreference: c.Transparency}
		d.DomainValidationOptions = s.validations(c, d.Status)
	}
	at := seconds(c.IssuedAt)
	switch {
	case d.Status == region.CertificatePending:
		return d // nothing of the certificate itself is told before it is issued
	case c.Imported:
		d.ImportedAt = &at
	default:
		d.IssuedAt = &at
		if len(d.InUseBy) > 0 {
			d.RenewalEligibility = "ELIGIBLE"
		}
	}
	from, until := seconds(c.NotBefore), seconds(c.NotAfter)
	d.NotBefore, d.NotAfter = &from, &until
	certs, err := parse([]byte(c.Cert))
	if err != nil || len(certs) == 0 {
		return d // it was read before it was stored
	}
	cert := certs[0]
	d.Serial, d.Subject, d.Issuer = serial(cert), cert.Subject.String(), cert.Issuer.CommonName
	d.SignatureAlgorithm = signatureName(cert)
	d.KeyUsages, d.ExtendedKeyUsages = usages(cert), extendedUsages(cert)
	return d
}

func typeOf(c region.Certificate) string {
	if c.Imported {
		return "IMPORTED"
	}
	return "AMAZON_ISSUED"
}

func (s *Service) validations(c region.Certificate, status region.CertificateStatus) (all []domainValidation) {
	state := "SUCCESS"
	if status == region.CertificatePending {
		state = "PENDING_VALIDATION"
	}
	for _, name := range c.Names {
		v := domainValidation{DomainName: name, ValidationDomain: name, ValidationStatus: state, ValidationMethod: c.ValidationMethod}
		if c.ValidationMethod == "DNS" {
			v.ResourceRecord = s.record(name)
		}
		all = append(all, v)
	}
	return all
}

// serial is a certificate's number in pairs of digits.
func serial(cert *x509.Certificate) string {
	var pairs []string
	for _, b := range cert.SerialNumber.Bytes() {
		pairs = append(pairs, fmt.Sprintf("%02x", b))
	}
	return strings.Join(pairs, ":")
}

// signatureName is a signature's algorithm as ACM writes it: SHA256WITHRSA.
func signatureName(cert *x509.Certificate) string {
	name := cert.SignatureAlgorithm.String()
	if hash, found := strings.CutPrefix(name, "ECDSA-"); found {
		return hash + "WITHECDSA"
	}
	if hash, found := strings.CutSuffix(name, "-RSA"); found {
		return hash + "WITHRSA"
	}
	return name
}

func usages(cert *x509.Certificate) []keyUsage {
	all := []keyUsage{}
	for _, u := range []struct {
		bit  x509.KeyUsage
		name string
	}{{x509.KeyUsageDigitalSignature, "DIGITAL_SIGNATURE"}, {x509.KeyUsageContentCommitment, "NON_REPUDIATION"},
		{x509.KeyUsageKeyEncipherment, "KEY_ENCIPHERMENT"}, {x509.KeyUsageDataEncipherment, "DATA_ENCIPHERMENT"},
		{x509.KeyUsageKeyAgreement, "KEY_AGREEMENT"}, {x509.KeyUsageCertSign, "CERTIFICATE_SIGNING"},
		{x509.KeyUsageCRLSign, "CRL_SIGNING"}} {
		if cert.KeyUsage&u.bit != 0 {
			all = append(all, keyUsage{u.name})
		}
	}
	return all
}

func extendedUsages(cert *x509.Certificate) []extendedKeyUsage {
	all := []extendedKeyUsage{}
	for _, u := range cert.ExtKeyUsage {
		switch u {
		case x509.ExtKeyUsageServerAuth:
			all = append(all, extendedKeyUsage{"TLS_WEB_SERVER_AUTHENTICATION", "1.3.6.1.5.5.7.3.1"})
		case x509.ExtKeyUsageClientAuth:
			all = append(all, extendedKeyUsage{"TLS_WEB_CLIENT_AUTHENTICATION", "1.3.6.1.5.5.7.3.2"})
		}
	}
	return all
}

type getOutput struct {
	Certificate      string
	CertificateChain string `json:",omitempty"`
}

func (s *Service) getCertificate(call *operation.Call, in *named) (*getOutput, error) {
	out := &getOutput{}
	return out, s.view(call, in.CertificateArn, func(_ *state.Txn, c region.Certificate) error {
		if c.Status(s.now()) == region.CertificatePending {
			return refuse("RequestInProgressException",
				"The certificate request for %s is in progress: its certificate is not available yet.", c.ARN)
		}
		out.Certificate, out.CertificateChain = c.Cert, c.Chain
		return nil
	})
}

type listInput struct {
	CertificateStatuses []string
	Includes            struct {
		ExtendedKeyUsage []string `json:"extendedKeyUsage"`
		KeyUsage         []string `json:"keyUsage"`
		KeyTypes         []string `json:"keyTypes"`
	}
	NextToken string
	MaxItems  *int
	SortBy    string
	SortOrder string
}

type summary struct {
	CertificateArn                       string
	DomainName                           string
	SubjectAlternativeNameSummaries      []string
	HasAdditionalSubjectAlternativeNames bool
	Status                               region.CertificateStatus
	Type                                 string
	KeyAlgorithm                         string
	KeyUsages                            []string
	ExtendedKeyUsages                    []string
	InUse                                bool
	RenewalEligibility                   string
	NotBefore                            *float64 `json:",omitempty"`
	NotAfter                             *float64 `json:",omitempty"`
	CreatedAt                            float64
	IssuedAt                             *float64 `json:",omitempty"`
	ImportedAt                           *float64 `json:",omitempty"`
}

type listOutput struct {
	CertificateSummaryList []summary
	NextToken              *string `json:",omitempty"`
}

// mostListed is how many certificates one answer has.
const mostListed = 1000

// listedByDefault are the key types that a list without a filter has.
var listedByDefault = []string{"RSA_1024", "RSA_2048"}

func (s *Service) listCertificates(call *operation.Call, in *listInput) (*listOutput, error) {
	if err := call.Authorize(wire.AWSJSON, Name+":ListCertificates", "*"); err != nil {
		return nil, err
	}
	size := mostListed
	if in.MaxItems != nil {
		size = *in.MaxItems
	}
	if size < 1 || size > mostListed {
		return nil, invalid("1 validation error detected: Value '%d' at 'maxItems' failed to satisfy constraint: Member must have "+
			"value between 1 and %d", size, mostListed)
	}
	var all []summary
	err := s.State.View(func(tx *state.Txn) error {
		for _, c := range region.Certificates.List(tx) {
			if one := summarize(s.describe(tx, c)); in.fits(one) {
				all = append(all, one)
			}
		}
		return nil
	})
	if err != nil {
		return nil, wrap(call, err)
	}
	page, next, ok := wire.Page("ListCertificates", size, &in.NextToken, all, func(c summary) string { return c.CertificateArn })
	if !ok {
		return nil, refuse("InvalidArgsException", "The NextToken is not valid.")
	}
	if in.SortBy == "CREATED_AT" {
		slices.SortStableFunc(page, func(a, b summary) int { return cmp.Compare(a.CreatedAt, b.CreatedAt) })
		if in.SortOrder == "DESCENDING" {
			slices.Reverse(page)
		}
	}
	return &listOutput{page, next}, nil
}

// fits says whether a certificate is among those that are asked for.
func (in *listInput) fits(c summary) bool {
	types := in.Includes.KeyTypes
	if len(types) == 0 {
		types = listedByDefault
	}
	among := func(asked, has []string) bool {
		return len(asked) == 0 || slices.ContainsFunc(has, func(one string) bool { return slices.Contains(asked, one) })
	}
	return slices.Contains(types, c.KeyAlgorithm) && among(in.CertificateStatuses, []string{string(c.Status)}) &&
		among(in.Includes.KeyUsage, append(c.KeyUsages, "ANY")) &&
		among(in.Includes.ExtendedKeyUsage, append(c.ExtendedKeyUsages, "ANY"))
}

func summarize(d detail) summary {
	one := summary{CertificateArn: d.CertificateArn, DomainName: d.DomainName, SubjectAlternativeNameSummaries: d.
		SubjectAlternativeNames, Status: d.Status, Type: d.Type, KeyAlgorithm: strings.Replace(d.KeyAlgorithm, "-", "_", 1),
		KeyUsages: []string{}, ExtendedKeyUsages: []string{}, InUse: len(d.InUseBy) > 0,
		RenewalEligibility: d.RenewalEligibility, NotBefore: d.NotBefore, NotAfter: d.NotAfter, CreatedAt: d.CreatedAt,
		IssuedAt: d.IssuedAt, ImportedAt: d.ImportedAt}
	for _, u := range d.KeyUsages {
		one.KeyUsages = append(one.KeyUsages, u.Name)
	}
	for _, u := range d.ExtendedKeyUsages {
		one.ExtendedKeyUsages = append(one.ExtendedKeyUsages, u.Name)
	}
	return one
}
