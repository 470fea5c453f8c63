package eks

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// mostAuthorities is how many certificate authorities a cluster can have: the one that signs, and its successor or
// predecessor.
const mostAuthorities = 2

func (s *Service) createCertificateAuthority(call *operation.Call,
	in *eks.CreateCertificateAuthorityInput) (*eks.CreateCertificateAuthorityOutput, error) {
	name, id := aws.ToString(in.ClusterName), wire.NewRequestID()
	return changeOf(s, call, target{cluster: name}, idle(call.Operation), in.ClientRequestToken, in,
		func(c change) (*eks.CreateCertificateAuthorityOutput, string, error) {
			all := c.cluster.CertificateAuthorities()
			if len(all) >= mostAuthorities {
				return nil, "", about{cluster: name}.limitExceeded("Cluster %s has %d certificate authorities already: delete "+
					"one first.", name, len(all))
			}
			cert, key, err := s.ControlPlane.NewAuthority(c.cluster)
			if err != nil {
				return nil, "", fmt.Errorf("the certificate authority cannot be made: %w", err)
			}
			made := region.Authority{ID: id, Cert: cert, Key: key, CreatedAt: c.now,
				CreatedBy: string(types.CertificateAuthorityCreatedByCustomer)}
			signer := c.cluster.SignerOf(c.cluster.Components).ID
			c.cluster.Authorities = append(slices.Clone(all), made)
			update, err := s.rollOutAuthorities(&c, id,
				func(next *region.Components) { next.Signer, next.Trusted = signer, append(idsOf(all), id) })
			return &eks.CreateCertificateAuthorityOutput{CertificateAuthority: summaryOf(c.cluster, made), Update: update}, "",
				err
		})
}

func (s *Service) activateCertificateAuthority(call *operation.Call,
	in *eks.ActivateCertificateAuthorityInput) (*eks.ActivateCertificateAuthorityOutput, error) {
	name, id := aws.ToString(in.ClusterName), aws.ToString(in.CertificateAuthorityId)
	return changeOf(s, call, target{cluster: name}, idle(call.Operation), in.ClientRequestToken, in,
		func(c change) (*eks.ActivateCertificateAuthorityOutput, string, error) {
			authority, err := authorityOf(c.cluster, id)
			if err != nil {
				return nil, "", err
			}
			switch {
			case signingStatus(c.cluster, authority) == types.CertificateAuthoritySigningStatusInUse:
				return nil, "", about{cluster: name}.invalidRequest("Certificate authority %s signs for cluster %s already.", id,
					name)
			case distributionStatus(c.cluster, authority) != types.CertificateAuthorityDistributionStatusComplete:
				return nil, "", about{cluster: name}.invalidRequest("Certificate authority %s cannot be activated: its "+
					"distribution status is %s.", id,
					distributionStatus(c.cluster, authority))
			}
			update, err := s.rollOutAuthorities(&c, id, func(next *region.Components) { next.Signer = id })
			return &eks.ActivateCertificateAuthorityOutput{CertificateAuthority: summaryOf(c.cluster, authority),
				Update: update}, "", err
		})
}

// deleteCertificateAuthority removes one from what is trusted. One that never came to be trusted, since its
// distribution failed, just goes.
func (s *Service) deleteCertificateAuthority(call *operation.Call,
	in *eks.DeleteCertificateAuthorityInput) (*eks.DeleteCertificateAuthorityOutput, error) {
	name, id := aws.ToString(in.ClusterName), aws.ToString(in.CertificateAuthorityId)
	return changeOf(s, call, target{cluster: name}, idle(call.Operation), in.ClientRequestToken, in,
		func(c change) (*eks.DeleteCertificateAuthorityOutput, string, error) {
			authority, err := authorityOf(c.cluster, id)
			if err != nil {
				return nil, "", err
			}
			if signingStatus(c.cluster, authority) == types.CertificateAuthoritySigningStatusInUse {
				return nil, "", about{cluster: name}.invalidRequest("Certificate authority %s signs for cluster %s: activate "+
					"its successor before you delete it.", id, name)
			}
			if !c.cluster.Trusts(c.cluster.Components, id) {
				c.cluster.Authorities = slices.DeleteFunc(slices.Clone(c.cluster.Authorities),
					func(a region.Authority) bool { return a.ID == id })
				region.Clusters.Put(c.tx, c.cluster.ID, c.cluster)
				shown := summaryOf(c.cluster, authority)
				shown.DistributionStatus = types.CertificateAuthorityDistributionStatusDeleting
				params := []region.UpdateParam{param(types.UpdateParamTypeCertificateAuthorityId, id)}
				return &eks.DeleteCertificateAuthorityOutput{CertificateAuthority: shown,
					Update: c.update(types.UpdateTypeCertificateAuthorityUpdate, params)}, "", nil
			}
			update, err := s.rollOutAuthorities(&c, id, func(next *region.Components) {
				next.Trusted = slices.DeleteFunc(slices.Clone(next.Trusted), func(trusted string) bool { return trusted == id })
			})
			return &eks.DeleteCertificateAuthorityOutput{CertificateAuthority: summaryOf(c.cluster, authority),
				Update: update}, "", err
		})
}

// rollOutAuthorities begins a change of who signs and who is trusted. The record then shows it.
func (s *Service) rollOutAuthorities(c *change, id string, edit func(*region.Components)) (*types.Update, error) {
	next := c.cluster.Components
	edit(&next)
	rollout := region.Rollout{To: c.cluster.Version, Components: &next}
	c.cluster.Rollout = &rollout // for the answer
	return s.rollOut(*c, types.UpdateTypeCertificateAuthorityUpdate,
		[]region.UpdateParam{param(types.UpdateParamTypeCertificateAuthorityId, id),
			param(types.UpdateParamTypeActiveCertificateAuthority, next.Signer),
			param(types.UpdateParamTypeTrustedCertificateAuthorities, asJSON(next.Trusted))}, rollout)
}

func (s *Service) describeCertificateAuthority(call *operation.Call,
	in *eks.DescribeCertificateAuthorityInput) (*eks.DescribeCertificateAuthorityOutput, error) {
	out := &eks.DescribeCertificateAuthorityOutput{}
	err := readOf(s, call, target{cluster: aws.ToString(in.ClusterName)},
		func(_ *state.Txn, cluster region.Cluster) error {
			authority, err := authorityOf(cluster, aws.ToString(in.CertificateAuthorityId))
			if err == nil {
				out.CertificateAuthority, err = describeAuthority(cluster, authority)
			}
			return err
		})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// describeAuthority shows one. There are no scheduled events: Tripod activates none by itself.
func describeAuthority(cluster region.Cluster, authority region.Authority) (*types.CertificateAuthority, error) {
	block, _ := pem.Decode([]byte(authority.Cert))
	if block == nil {
		return nil, fmt.Errorf("the certificate of authority %s of cluster %s is not PEM", authority.ID, cluster.Name)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the certificate of authority %s of cluster %s: %w", authority.ID, cluster.Name, err)
	}
	short := summaryOf(cluster, authority)
	back := short.SigningStatus == types.CertificateAuthoritySigningStatusInUse &&
		short.ActivatedBy == types.CertificateAuthorityActivatedByCustomer &&
		len(cluster.CertificateAuthorities()) == mostAuthorities
	return &types.CertificateAuthority{
		Id: short.Id, CreatedAt: short.CreatedAt, CreatedBy: short.CreatedBy, ActivatedAt: short.ActivatedAt,
		ActivatedBy:   short.ActivatedBy,
		SigningStatus: short.SigningStatus, DistributionStatus: short.DistributionStatus, RollbackAvailable: aws.Bool(back),
		Data:     aws.String(base64.StdEncoding.EncodeToString([]byte(authority.Cert))),
		Validity: &types.CertificateAuthorityValidity{NotBefore: aws.Time(cert.NotBefore), NotAfter: aws.Time(cert.NotAfter)},
	}, nil
}

func (s *Service) listCertificateAuthorities(call *operation.Call,
	in *eks.ListCertificateAuthoritiesInput) (*eks.ListCertificateAuthoritiesOutput, error) {
	out := &eks.ListCertificateAuthoritiesOutput{CertificateAuthorities: []types.CertificateAuthoritySummary{}}
	err := readOf(s, call, target{cluster: aws.ToString(in.ClusterName)},
		func(_ *state.Txn, cluster region.Cluster) (err error) {
			for _, authority := range cluster.CertificateAuthorities() {
				out.CertificateAuthorities = append(out.CertificateAuthorities, *summaryOf(cluster, authority))
			}
			out.CertificateAuthorities, out.NextToken,
				err = page(paging{call.Operation, []string{cluster.ID}, in.MaxResults, in.NextToken}, out.CertificateAuthorities,
				func(a types.CertificateAuthoritySummary) string { return aws.ToString(a.Id) })
			return err
		})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func authorityOf(cluster region.Cluster, id string) (region.Authority, error) {
	authority, found := cluster.AuthorityOf(id)
	if !found {
		return authority, about{cluster: cluster.Name}.notFound("No certificate authority found for id: %s.", id)
	}
	return authority, nil
}

func summaryOf(cluster region.Cluster, authority region.Authority) *types.CertificateAuthoritySummary {
	return &types.CertificateAuthoritySummary{
		Id: aws.String(authority.ID), CreatedAt: aws.Time(authority.CreatedAt),
		CreatedBy:   types.CertificateAuthorityCreatedBy(authority.CreatedBy),
		ActivatedAt: authority.ActivatedAt, ActivatedBy: types.CertificateAuthorityActivatedBy(authority.ActivatedBy),
		SigningStatus: signingStatus(cluster, authority), DistributionStatus: distributionStatus(cluster, authority),
	}
}

// signingStatus follows from what the control plane has, and what it will have.
func signingStatus(cluster region.Cluster, authority region.Authority) types.CertificateAuthoritySigningStatus {
	switch authority.ID {
	case cluster.SignerOf(cluster.Components).ID:
		return types.CertificateAuthoritySigningStatusInUse
	case cluster.SignerOf(cluster.NextControlPlane().Components).ID:
		return types.CertificateAuthoritySigningStatusActivating
	default:
		return types.CertificateAuthoritySigningStatusNotUsed
	}
}

// distributionStatus is FAILED for one whose rollout went back.
func distributionStatus(cluster region.Cluster,
	authority region.Authority) types.CertificateAuthorityDistributionStatus {
	now, next := cluster.Trusts(cluster.Components, authority.ID),
		cluster.Trusts(cluster.NextControlPlane().Components, authority.ID)
	switch {
	case now && next:
		return types.CertificateAuthorityDistributionStatusComplete
	case next:
		return types.CertificateAuthorityDistributionStatusInProgress
	case now:
		return types.CertificateAuthorityDistributionStatusDeleting
	default:
		return types.CertificateAuthorityDistributionStatusFailed
	}
}

func idsOf(authorities []region.Authority) (ids []string) {
	for _, a := range authorities {
		ids = append(ids, a.ID)
	}
	return ids
}
