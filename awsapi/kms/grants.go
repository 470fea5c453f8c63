package kms

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
)

// granted says whether a grant lets the caller in whom policies do not. Against a deny none does.
func granted(tx *region.Txn, principal iam.Principal, key Key, action string, context map[string]string, reason string) bool {
	if strings.HasPrefix(reason, denied) {
		return false
	}
	return slices.ContainsFunc(grantsOf(tx, key.ID), func(g Grant) bool {
		matched, _ := principal.Match(g.Grantee)
		return matched && slices.Contains(g.Operations, action) && g.fits(context)
	})
}

// fits says whether a grant is for this encryption context.
func (g Grant) fits(context map[string]string) bool {
	if g.Equals != nil && !maps.Equal(g.Equals, context) {
		return false
	}
	for name, value := range g.Subset {
		if given, found := context[name]; !found || given != value {
			return false
		}
	}
	return true
}

func newGrant(keyID string, now time.Time) Grant {
	id := make([]byte, 32)
	rand.Read(id) // never fails
	return Grant{ID: hex.EncodeToString(id), KeyID: keyID, CreatedAt: now}
}

// createGrant counts from the next call on, in every zone; the token that KMS gives for the time before is of no further use here.
func (s *Service) createGrant(call *wire.Call, in *kms.CreateGrantInput) (*kms.CreateGrantOutput, error) {
	grant := newGrant("", s.now())
	grant.Name, grant.Grantee, grant.Retiring = aws.ToString(in.Name), aws.ToString(in.GranteePrincipal), aws.ToString(in.RetiringPrincipal)
	for _, operation := range in.Operations {
		grant.Operations = append(grant.Operations, string(operation))
	}
	if c := in.Constraints; c != nil {
		if c.SourceArn != nil {
			return nil, unsupported("Tripod has no grant constraint SourceArn: leave it out.")
		}
		grant.Equals, grant.Subset = c.EncryptionContextEquals, c.EncryptionContextSubset
	}
	if in.GranteeServicePrincipal != nil || in.RetiringServicePrincipal != nil {
		return nil, unsupported("Tripod has no grants to service principals: name an IAM principal.")
	}
	out := &kms.CreateGrantOutput{}
	err := s.change(request{call: call, id: aws.ToString(in.KeyId), states: []string{enabled}, dryRun: in.DryRun}, func(tx *region.Txn, key *Key) error {
		for _, principal := range []string{grant.Grantee, grant.Retiring} {
			if principal != "" && !isPrincipal(principal) {
				return invalidARN("%s is not the ARN of an IAM principal.", principal)
			}
		}
		grant.KeyID = key.ID
		for _, other := range grantsOf(tx, key.ID) {
			if grant.Name != "" && other.same(grant) { // one grant of that name, however often it is asked for
				grant = other
			}
		}
		grants.Put(tx, grant.path(), grant)
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.GrantId, out.GrantToken = aws.String(grant.ID), aws.String(base64.StdEncoding.EncodeToString([]byte("grant/"+grant.ID)))
	return out, nil
}

// isPrincipal says whether an ARN has the form of an IAM or STS principal's.
func isPrincipal(arn string) bool {
	parts := strings.SplitN(arn, ":", 6)
	return len(parts) == 6 && parts[0] == "arn" && (parts[2] == "iam" || parts[2] == "sts") && len(parts[4]) == 12 && parts[5] != ""
}

func (g Grant) same(other Grant) bool {
	return g.Name == other.Name && g.Grantee == other.Grantee && g.Retiring == other.Retiring && slices.Equal(g.Operations, other.Operations) &&
		maps.Equal(g.Equals, other.Equals) && maps.Equal(g.Subset, other.Subset)
}

func (s *Service) listGrants(call *wire.Call, in *kms.ListGrantsInput) (*kms.ListGrantsOutput, error) {
	var all []Grant
	err := s.view(request{call: call, id: aws.ToString(in.KeyId)}, func(tx *region.Txn, key Key) error {
		all = slices.DeleteFunc(grantsOf(tx, key.ID), func(g Grant) bool {
			return in.GrantId != nil && g.ID != *in.GrantId || in.GranteePrincipal != nil && g.Grantee != *in.GranteePrincipal || in.GranteeServicePrincipal != nil
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	filter := strings.Join([]string{aws.ToString(in.KeyId), aws.ToString(in.GrantId), aws.ToString(in.GranteePrincipal)}, " ")
	part, next, err := page(call, filter, in.Limit, in.Marker, 50, all, func(g Grant) string { return g.ID })
	out := &kms.ListGrantsOutput{Grants: []types.GrantListEntry{}, NextMarker: next, Truncated: next != nil}
	for _, g := range part {
		out.Grants = append(out.Grants, s.describeGrant(g))
	}
	return out, err
}

func (s *Service) describeGrant(g Grant) types.GrantListEntry {
	entry := types.GrantListEntry{KeyId: aws.String(s.arn("key/" + g.KeyID)), GrantId: aws.String(g.ID), CreationDate: aws.Time(g.CreatedAt),
		GranteePrincipal: aws.String(g.Grantee), IssuingAccount: aws.String("arn:aws:iam::" + s.AccountID + ":root"), Name: aws.String(g.Name)}
	if g.Retiring != "" {
		entry.RetiringPrincipal = aws.String(g.Retiring)
	}
	for _, operation := range g.Operations {
		entry.Operations = append(entry.Operations, types.GrantOperation(operation))
	}
	if g.Equals != nil || g.Subset != nil {
		entry.Constraints = &types.GrantConstraints{EncryptionContextEquals: g.Equals, EncryptionContextSubset: g.Subset}
	}
	return entry
}

func (s *Service) revokeGrant(call *wire.Call, in *kms.RevokeGrantInput) (*kms.RevokeGrantOutput, error) {
	return &kms.RevokeGrantOutput{}, s.change(request{call: call, id: aws.ToString(in.KeyId), dryRun: in.DryRun}, func(tx *region.Txn, key *Key) error {
		path := Grant{KeyID: key.ID, ID: aws.ToString(in.GrantId)}.path()
		if _, found := grants.Get(tx, path); !found {
			return invalidGrant("Grant ID %s not found", aws.ToString(in.GrantId))
		}
		grants.Delete(tx, path)
		return nil
	})
}
