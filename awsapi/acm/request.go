package acm

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"regexp"
	"slices"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/internal/pki"
	"tripod/region"
	"tripod/state"
)

type certificateOptions struct {
	CertificateTransparencyLoggingPreference string `json:",omitempty"`
	Export                                   string `json:",omitempty"`
}

type requestInput struct {
	DomainName              string
	ValidationMethod        string
	SubjectAlternativeNames []string
	IdempotencyToken        string
	DomainValidationOptions []struct{ DomainName, ValidationDomain string }
	Options                 *certificateOptions
	CertificateAuthorityArn string
	Tags                    []tag
	KeyAlgorithm            string
	ManagedBy               string
}

// lifetime is how long a certificate that ACM issues is good: thirteen months.
const lifetime = 395 * 24 * time.Hour

// maxNames is how many names a certificate has: AWS's default quota.
const maxNames = 10

var (
	domainForm = regexp.MustCompile(`^(\*\.)?(((?i:[a-z0-9-]{0,62}[a-z0-9])\.)+((?i:[a-z0-9-]{1,62}[a-z0-9])\.?))$`)
	tokenForm  = regexp.MustCompile(`^\w{0,32}$`)
)

// requestable are the key algorithms of certificates that ACM issues, and how it makes their keys.
var requestable = map[string]func() (crypto.Signer, error){
	"RSA_2048":      func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) },
	"EC_prime256v1": func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
	"EC_secp384r1":  func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) },
}

func (in *requestInput) check() error {
	in.KeyAlgorithm = cmp.Or(in.KeyAlgorithm, "RSA_2048")
	in.ValidationMethod = cmp.Or(in.ValidationMethod, "EMAIL")
	names := in.names()
	for _, name := range names {
		if len(name) > 253 || !domainForm.MatchString(name) {
			return invalid("1 validation error detected: Value '%s' at 'domainName' failed to satisfy constraint: Member must "+
				"satisfy regular expression pattern: %s", wire.Clip(name), domainForm)
		}
	}
	switch {
	case len(names) > maxNames:
		return refuse("LimitExceededException", "The certificate would have more than %d domain names.", maxNames)
	case !tokenForm.MatchString(in.IdempotencyToken):
		return invalid("1 validation error detected: Value '%s' at 'idempotencyToken' failed to satisfy constraint: Member must "+
			"satisfy regular expression pattern: \\w+", wire.Clip(in.IdempotencyToken))
	case requestable[in.KeyAlgorithm] == nil:
		return invalid("The key algorithm %s is not one of RSA_2048, EC_prime256v1 and EC_secp384r1.", wire.Clip(in.KeyAlgorithm))
	case !slices.Contains([]string{"DNS", "EMAIL", "HTTP"}, in.ValidationMethod):
		return invalid("1 validation error detected: Value '%s' at 'validationMethod' failed to satisfy constraint: Member must "+
			"satisfy enum value set: [EMAIL, DNS, HTTP]", wire.Clip(in.ValidationMethod))
	case in.CertificateAuthorityArn != "":
		return refuse("InvalidArnException", "Tripod has no private certificate authorities: leave CertificateAuthorityArn out.")
	case in.ManagedBy != "":
		return invalid("Tripod has no CloudFront: leave ManagedBy out.")
	case in.Options != nil && in.Options.Export == "ENABLED":
		return invalid("Tripod exports no private keys: leave Export out.")
	}
	return in.Options.check()
}

func (o *certificateOptions) check() error {
	if o != nil && !slices.Contains([]string{"", "ENABLED", "DISABLED"}, o.CertificateTransparencyLoggingPreference) {
		return invalid("CertificateTransparencyLoggingPreference must be ENABLED or DISABLED.")
	}
	return nil
}

// names are all of the certificate's, each once, the domain first.
func (in *requestInput) names() []string {
	names := []string{in.DomainName}
	for _, name := range in.SubjectAlternativeNames {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func (s *Service) requestCertificate(call *operation.Call, in *requestInput) (*named, error) {
	tags, err := newTags(call, in.Tags)
	if err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	call.Keys = call.Keys.With(iam.Keys{"acm:domainnames": in.names(), "acm:validationmethod": {in.ValidationMethod},
		"acm:keyalgorithm": {in.KeyAlgorithm}})
	if err := s.permitMade(call, s.arn("*"), len(tags) > 0); err != nil {
		return nil, err
	}
	now := s.now()
	made := region.Certificate{ARN: s.arn(wire.NewRequestID()), Domain: in.DomainName, Names: in.names(), CreatedAt: now,
		IssuedAt: now.Add(validation), ValidationMethod: in.ValidationMethod, Token: in.IdempotencyToken, Tags: tags,
		Transparency: "ENABLED"}
	if in.Options != nil {
		made.Transparency = cmp.Or(in.Options.CertificateTransparencyLoggingPreference, made.Transparency)
	}
	authority, err := s.authority(call)
	if err != nil {
		return nil, err
	}
	if err := issue(&made, authority, in.KeyAlgorithm); err != nil {
		return nil, wrap(call, err)
	}
	out := &named{}
	err = s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		out.CertificateArn = made.ARN
		if made.Token != "" {
			for _, other := range region.Certificates.List(tx) {
				if other.Token == made.Token && slices.Equal(other.Names, made.Names) && now.Sub(other.CreatedAt) < time.Hour {
					out.CertificateArn = other.ARN
					return nil
				}
			}
		}
		return put(tx, made)
	})
	return out, wrap(call, err)
}

// issue makes a certificate's key, and has the authority sign.
func issue(c *region.Certificate, authority *pki.Authority, algorithm string) error {
	key, err := requestable[algorithm]()
	if err != nil {
		return err
	}
	cert, err := authority.IssueFor(pki.Leaf{CommonName: c.Domain, DNS: c.Names, Server: true, Client: true}, key.Public(), lifetime)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	parsed, err := parse(cert)
	if err != nil {
		return err
	}
	c.Cert, c.Chain = string(cert), string(authority.Cert)
	c.Key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	c.KeyAlgorithm, c.NotBefore, c.NotAfter = algorithmOf(key.Public()), parsed[0].NotBefore, parsed[0].NotAfter
	return nil
}

// authority is the region's, which is made for the first certificate that is requested.
func (s *Service) authority(call *operation.Call) (*pki.Authority, error) {
	var stored region.CertificateAuthority
	read := func(tx *state.Txn) error {
		stored, _ = region.CertificateIssuers.Get(tx, region.CertificateIssuer)
		return nil
	}
	if err := s.State.View(read); err != nil {
		return nil, wrap(call, err)
	}
	if stored.Cert == "" {
		fresh, err := pki.NewAuthority("Tripod Certificate Manager "+s.Region, pki.Constraints{})
		if err != nil {
			return nil, wrap(call, err)
		}
		err = s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
			var there bool
			if stored, there = region.CertificateIssuers.Get(tx, region.CertificateIssuer); there {
				return nil // of another call, which was faster
			}
			stored = region.CertificateAuthority{Cert: string(fresh.Cert), Key: string(fresh.Key)}
			region.CertificateIssuers.Put(tx, region.CertificateIssuer, stored)
			return nil
		})
		if err != nil {
			return nil, wrap(call, err)
		}
	}
	authority, err := pki.ParseAuthority(pki.Pair{Cert: []byte(stored.Cert), Key: []byte(stored.Key)})
	return authority, wrap(call, err)
}

type updateOptionsInput struct {
	named
	Options *certificateOptions
}

func (s *Service) updateOptions(call *operation.Call, in *updateOptionsInput) (*none, error) {
	if err := in.Options.check(); err != nil {
		return nil, err
	}
	return s.change(call, in.CertificateArn, func(c *region.Certificate) error {
		if c.Imported {
			return refuse("InvalidStateException", "Certificate %s is imported: it has no options.", c.ARN)
		}
		if in.Options != nil {
			c.Transparency = cmp.Or(in.Options.CertificateTransparencyLoggingPreference, c.Transparency)
		}
		return nil
	})
}

// record is the DNS record by which AWS would validate a domain: the same one for each request of the account.
func (s *Service) record(domain string) *resourceRecord {
	domain = strings.TrimPrefix(domain, "*.")
	return &resourceRecord{"_" + digest(s.AccountID, domain) + "." + domain + ".", "CNAME",
		"_" + digest(domain, s.AccountID) + ".acm-validations.aws."}
}
