package region

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Authority is one of a cluster's certificate authorities: it signs for API servers and for those who speak to them.
type Authority struct {
	ID        string    `json:"id"`   // a UUID
	Cert      string    `json:"cert"` // PEM, as Key
	Key       string    `json:"key"`
	CreatedAt time.Time `json:"createdAt"`
	CreatedBy string    `json:"createdBy"` // EKS or CUSTOMER
	// ActivatedAt is when it became the signer the last time; nil: never.
	ActivatedAt *time.Time `json:"activatedAt,omitempty"`
	ActivatedBy string     `json:"activatedBy,omitempty"`
}

// CertificateAuthorities are the cluster's, the oldest first. Clusters that never had another than their first have it
// among their secrets alone.
func (c Cluster) CertificateAuthorities() []Authority {
	if len(c.Authorities) > 0 {
		return c.Authorities
	}
	made := c.CreatedAt
	hash := sha256.Sum256([]byte(c.Secrets.CACert)) // the same id whenever somebody asks
	return []Authority{{
		ID:   fmt.Sprintf("%x-%x-%x-%x-%x", hash[:4], hash[4:6], hash[6:8], hash[8:10], hash[10:16]),
		Cert: c.Secrets.CACert, Key: c.Secrets.CAKey,
		CreatedAt: made, CreatedBy: "EKS", ActivatedAt: &made, ActivatedBy: "EKS",
	}}
}

// AuthorityOf is the cluster's certificate authority of that id.
func (c Cluster) AuthorityOf(id string) (Authority, bool) {
	for _, a := range c.CertificateAuthorities() {
		if a.ID == id {
			return a, true
		}
	}
	return Authority{}, false
}

// SignerOf is who signs the certificates of a control plane, one that the cluster has or will have.
func (c Cluster) SignerOf(p Components) Authority {
	if signer, found := c.AuthorityOf(p.Signer); found {
		return signer
	}
	return c.CertificateAuthorities()[0]
}

// Trusts says whether a control plane trusts the authority of that id.
func (c Cluster) Trusts(p Components, id string) bool {
	if len(p.Trusted) == 0 {
		return id == c.CertificateAuthorities()[0].ID
	}
	return slices.Contains(p.Trusted, id)
}

// BundleOf holds the certificates, in PEM, of all authorities that a control plane trusts.
func (c Cluster) BundleOf(p Components) string {
	var bundle strings.Builder
	for _, a := range c.CertificateAuthorities() {
		if c.Trusts(p, a.ID) {
			bundle.WriteString(a.Cert)
		}
	}
	return bundle.String()
}

// Forget drops the authorities that were trusted before a change of the control plane and are not any more, and notes
// who signs since.
func (c *Cluster) Forget(before Components, now time.Time) {
	if len(c.Authorities) == 0 {
		return
	}
	old := *c
	c.Authorities = slices.DeleteFunc(slices.Clone(old.Authorities), func(a Authority) bool {
		return old.Trusts(before, a.ID) && !old.Trusts(c.Components, a.ID)
	})
	for i := range c.Authorities {
		if a := &c.Authorities[i]; a.ID == c.Components.Signer && a.ID != old.SignerOf(before).ID {
			a.ActivatedAt, a.ActivatedBy = &now, "CUSTOMER"
		}
	}
}
