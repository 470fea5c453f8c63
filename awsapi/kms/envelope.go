package kms

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// Forbidden says that a caller may not do with a key what another service does in its name.
type Forbidden struct{ Action string }

func (e *Forbidden) Error() string {
	return "User not authorized to perform " + e.Action + " operation"
}

// Unusable says why a cluster cannot use its key. Code is EKS's ClusterIssueCode; the message is that of "Cluster
// health FAQs" in EKS's guide.
type Unusable struct{ Code, Message string }

func (e *Unusable) Error() string { return e.Message }

// clusterOperations are what a cluster's grant is for.
var clusterOperations = []string{"DescribeKey", "Encrypt", "Decrypt"}

// Wrap puts a cluster's key of encryption at rest under a KMS key: from then on only the KMS key gives it back. Who
// calls EKS must be allowed to describe the key and to make a grant on it; the grant is the cluster role's. keyARN may
// be an alias's. The errors are a *Forbidden, an *Unusable, or a *wire.Error whose message another service may tell.
func (s *Service) Wrap(tx *state.Txn, call *operation.Call, cluster *region.Cluster, keyARN, roleARN string) error {
	if parts := strings.SplitN(keyARN, ":", 6); len(parts) == 6 && parts[4] != s.AccountID {
		return &wire.Error{Message: "The keyArn for encryptionConfig must be owned by caller's account."}
	}
	key, err := s.find(tx, keyARN, true)
	if err != nil {
		return err
	}
	grant := newGrant(key.ID, s.now())
	grant.Name, grant.Grantee, grant.Operations = "eks-"+strings.ToLower(cluster.ID), roleARN, clusterOperations
	for _, action := range []string{"DescribeKey", "CreateGrant"} {
		r := request{call: call, id: keyARN, action: action, service: "eks." + s.Region + ".amazonaws.com"}
		if action == "CreateGrant" {
			r.grant = &grant
		}
		if s.authorize(tx, r, key) != nil {
			return &Forbidden{"kms:" + action}
		}
	}
	if err := usable(key); err != nil {
		return err
	}
	if key.spec() != symmetricSpec {
		return &wire.Error{Message: "The keyArn for encryptionConfig must be of a symmetric key."}
	}
	wrapped, err := key.seal([]byte(cluster.Secrets.EncryptionKey), contextOf(*cluster))
	if err != nil {
		return fmt.Errorf("encrypt the key of cluster %s: %w", cluster.Name, err)
	}
	grant.GranteeID, _ = iam.BindOne(tx, s.AccountID, roleARN)
	grants.Put(tx, grant.path(), grant)
	cluster.Envelope = &region.Envelope{KeyARN: s.arn("key/" + key.ID), KeyID: key.ID, GrantID: grant.ID,
		EncryptionKey: wrapped}
	cluster.Secrets.EncryptionKey = ""
	return nil
}

// Unwrap is a cluster's key of encryption at rest: the record's own, or what its KMS key makes of it. The error is an
// *Unusable where the KMS key cannot be used now.
func Unwrap(tx *state.Txn, cluster region.Cluster, now time.Time) (string, error) {
	if cluster.Envelope == nil {
		return cluster.Secrets.EncryptionKey, nil
	}
	if err := Check(tx, *cluster.Envelope, now); err != nil {
		return "", err
	}
	key, _ := keys.Get(tx, cluster.Envelope.KeyID) // Check has found it usable
	plain, _, err := key.open(cluster.Envelope.EncryptionKey, contextOf(cluster))
	if err != nil {
		return "", fmt.Errorf("decrypt the key of cluster %s: %w", cluster.Name, err)
	}
	return string(plain), nil
}

// contextOf binds a cluster's wrapped key to the cluster.
func contextOf(cluster region.Cluster) map[string]string {
	return map[string]string{"aws:eks:cluster": cluster.ID}
}

// Check says, by an *Unusable, why a cluster cannot use its KMS key now.
func Check(tx *state.Txn, envelope region.Envelope, now time.Time) error {
	key, found := keys.Get(tx, envelope.KeyID)
	if !found || key.gone(now) {
		return &Unusable{"KmsKeyNotFound", "We couldn't find the AWS KMS key associated with your cluster. You must " +
			"delete and recreate the cluster."}
	}
	if err := usable(key.at(now)); err != nil {
		return err
	}
	if !slices.ContainsFunc(grantsOf(tx, key.ID), func(g Grant) bool { return g.ID == envelope.GrantID }) {
		return &Unusable{"KmsGrantRevoked", "Grants for the AWS KMS key used for your cluster are revoked. You must " +
			"delete and recreate the cluster."}
	}
	return nil
}

func usable(key Key) error {
	switch key.State {
	case disabled:
		return &Unusable{"KmsKeyDisabled", "The AWS KMS key used for your cluster is disabled: " + key.ID}
	case pendingImport:
		return &Unusable{"KmsKeyDisabled", "The AWS KMS key used for your cluster has no key material: " + key.ID}
	case pendingDeletion:
		return &Unusable{"KmsKeyMarkedForDeletion", "The AWS KMS key used for your cluster is marked for deletion: " + key.ID}
	}
	return nil
}

// Release takes back the grant of a cluster that is deleted.
func Release(tx *state.Txn, envelope region.Envelope) {
	grants.Delete(tx, Grant{KeyID: envelope.KeyID, ID: envelope.GrantID}.path())
}
