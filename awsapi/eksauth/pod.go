package eksauth

import (
	"fmt"
	"time"

	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// pod is who a token proves its bearer to be, and what is associated with it.
type pod struct {
	cluster     region.Cluster
	bound       iam.BoundTo
	association region.PodIdentityAssociation
}

// identify verifies a token as the cluster's own API servers would, without asking them: so it works with any zone
// down. That the pod still runs is not asked; its token ends an hour after it at the latest, as the kubelet renews it
// no more.
func (s *Service) identify(name, text string) (pod, error) {
	token, err := iam.ParseWebToken(text)
	if err != nil {
		return pod{}, refusal("InvalidTokenException", "The token included in the request is not a JSON Web Token that "+
			"can be verified.")
	}
	p := pod{bound: token.Kubernetes}
	var found, associated bool
	err = s.State.View(func(tx *state.Txn) error {
		if p.cluster, found = region.ClusterNamed(tx, name); found {
			p.association, associated = associationOf(tx, p.cluster.ID, token.Kubernetes)
		}
		return nil
	})
	if err != nil {
		return pod{}, err
	}
	if !found {
		return pod{}, notFound("No cluster found for name: " + name + ".")
	}
	if err := s.verify(token, p.cluster); err != nil {
		return pod{}, err
	}
	if !associated {
		return pod{}, notFound(fmt.Sprintf("No pod identity association found for service account %s in namespace %s of "+
			"cluster %s.",
			p.bound.ServiceAccount.Name, p.bound.Namespace, name))
	}
	return p, nil
}

func associationOf(tx *state.Txn, clusterID string, bound iam.BoundTo) (region.PodIdentityAssociation, bool) {
	account := region.ServiceAccountOf(clusterID, bound.Namespace, bound.ServiceAccount.Name)
	for _, association := range region.AssociationsByServiceAccount.Of(account).After(tx, "") {
		return association, true
	}
	return region.PodIdentityAssociation{}, false
}

// verify checks what the token itself says.
func (s *Service) verify(token iam.WebToken, cluster region.Cluster) error {
	if token.Issuer != cluster.Issuer {
		return refusal("InvalidTokenException", "The token included in the request was not issued by "+
			"the cluster "+cluster.Name+".")
	}
	key, err := iam.PublicKey(cluster.Secrets.ServiceAccountKey)
	if err != nil {
		return fmt.Errorf("cluster %s: %w", cluster.Name, err)
	}
	now := s.now().UTC()
	bound := token.Kubernetes
	switch {
	case !token.SignedBy(key):
		return refusal("InvalidTokenException", "The signature of the token included in the request is not its issuer's.")
	case float64(now.Unix()) >= token.Expires:
		return refusal("ExpiredTokenException", fmt.Sprintf("The token included in the request is expired: current "+
			"date/time %s must be before the expiration date/time %s.",
			now.Format(time.RFC3339Nano), time.Unix(int64(token.Expires), 0).UTC().Format(time.RFC3339)))
	case !token.Timely(now):
		return refusal("InvalidTokenException", "The token included in the request is not valid yet.")
	case !token.IsFor(Audience):
		return refusal("InvalidTokenException", "The token included in the request is not for the audience "+Audience+".")
	case bound.Pod.Name == "" || bound.Pod.UID == "":
		return refusal("InvalidTokenException", "The token included in the request is not bound to a pod.")
	case bound.ServiceAccount.UID == "" ||
		token.Subject != "system:serviceaccount:"+bound.Namespace+":"+bound.ServiceAccount.Name:
		return refusal("InvalidTokenException", "The token included in the request is not a service account's.")
	}
	return nil
}

// tags are the session tags that EKS Pod Identity adds: "List of session tags added by EKS Pod Identity" in the EKS
// User Guide.
func (p pod) tags(clusterARN string) map[string]string {
	if p.association.DisableSessionTags {
		return nil
	}
	return map[string]string{
		"eks-cluster-arn":            clusterARN,
		"eks-cluster-name":           p.cluster.Name,
		"kubernetes-namespace":       p.bound.Namespace,
		"kubernetes-service-account": p.bound.ServiceAccount.Name,
		"kubernetes-pod-name":        p.bound.Pod.Name,
		"kubernetes-pod-uid":         p.bound.Pod.UID,
	}
}
