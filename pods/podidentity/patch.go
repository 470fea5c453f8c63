package podidentity

import (
	"encoding/csv"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"tripod/internal/admission"
)

// What pods get, by aws/amazon-eks-pod-identity-webhook and "EKS Pod Identity Agent" in the EKS User Guide.
const (
	// Audience is whom tokens of EKS Pod Identity are for.
	Audience = "pods.eks.amazonaws.com"
	// CredentialsURI is where the agent on a node answers.
	CredentialsURI = "http://169.254.170.23/v1/credentials"
	// CredentialsURIEnv and TokenFileEnv tell SDKs of it.
	CredentialsURIEnv = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
	TokenFileEnv      = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"

	roleEnv        = "AWS_ROLE_ARN"
	webTokenEnv    = "AWS_WEB_IDENTITY_TOKEN_FILE"
	regionEnv      = "AWS_REGION"
	usualRegionEnv = "AWS_DEFAULT_REGION"
	regionalSTSEnv = "AWS_STS_REGIONAL_ENDPOINTS"
)

// identity is what is written into a pod.
type identity struct {
	region      string
	regionalSTS bool
	expiration  int64
	audience    string
	volume      string
	mountPath   string
	file        string // of the token, in the volume
	label       bool   // whether the pod gets the label of EKS Pod Identity
	// first is the variable that says what the identity is, and value its value; tokenEnv says where the token is.
	first, value, tokenEnv string
}

// webIdentity is IRSA: the SDK exchanges the token with STS.
func webIdentity(a account) identity {
	return identity{
		regionalSTS: a.RegionalSTS, expiration: a.Expiration, audience: a.Audience,
		volume: "aws-iam-token", mountPath: "/var/run/secrets/eks.amazonaws.com/serviceaccount", file: "token",
		first: roleEnv, value: a.RoleARN, tokenEnv: webTokenEnv,
	}
}

// podIdentity is EKS Pod Identity: the SDK gives the token to the agent.
func podIdentity(a account) identity {
	return identity{
		regionalSTS: a.RegionalSTS, expiration: a.Expiration, audience: Audience,
		volume: "eks-pod-identity-token", mountPath: "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount",
		file: "eks-pod-identity-token", label: true,
		first: CredentialsURIEnv, value: CredentialsURI, tokenEnv: TokenFileEnv,
	}
}

type operation = admission.Operation

// operations change the pod. What its author has set stays as it is.
func (id identity) operations(pod *corev1.Pod) []operation {
	id.expiration = expiration(pod.Annotations, id.expiration)
	skipped := skippedContainers(pod.Annotations)
	tokenFile := path.Join(id.mountPath, id.file)
	if pod.Spec.NodeSelector["kubernetes.io/os"] == "windows" ||
		pod.Spec.NodeSelector["beta.kubernetes.io/os"] == "windows" {
		tokenFile = `C:` + strings.ReplaceAll(tokenFile, "/", `\`)
	}
	var patch []operation
	switch {
	case !id.label:
	case pod.Labels == nil:
		patch = append(patch, operation{Op: "add", Path: "/metadata/labels",
			Value: map[string]string{annotationDomain + "pod-identity": "enabled"}})
	default:
		patch = append(patch, operation{Op: "add", Path: "/metadata/labels/eks.amazonaws.com~1pod-identity", Value: "enabled"})
	}
	if !slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == id.volume }) {
		if pod.Spec.Volumes == nil {
			patch = append(patch, operation{Op: "add", Path: "/spec/volumes", Value: []corev1.Volume{id.projected()}})
		} else {
			patch = append(patch, operation{Op: "add", Path: "/spec/volumes/0", Value: id.projected()})
		}
	}
	for _, list := range []struct {
		path       string
		containers []corev1.Container
	}{{"/spec/containers", pod.Spec.Containers}, {"/spec/initContainers", pod.Spec.InitContainers}} {
		for i := range list.containers {
			if !slices.Contains(skipped, list.containers[i].Name) {
				id.addTo(&list.containers[i], tokenFile)
			}
		}
		if len(list.containers) > 0 {
			patch = append(patch, operation{Op: "add", Path: list.path, Value: list.containers})
		}
	}
	return patch
}

// addTo gives a container the variables that it has not and the token's mount.
func (id identity) addTo(c *corev1.Container, tokenFile string) {
	sets := func(names ...string) bool {
		return slices.ContainsFunc(c.Env, func(v corev1.EnvVar) bool { return slices.Contains(names, v.Name) })
	}
	var env []corev1.EnvVar
	add := func(name, value string) { env = append(env, corev1.EnvVar{Name: name, Value: value}) }
	if id.regionalSTS && !sets(regionalSTSEnv) {
		add(regionalSTSEnv, "regional")
	}
	if !sets(regionEnv, usualRegionEnv) {
		add(usualRegionEnv, id.region)
		add(regionEnv, id.region)
	}
	if !sets(id.first, id.tokenEnv) {
		add(id.first, id.value)
		add(id.tokenEnv, tokenFile)
	}
	c.Env = append(c.Env, env...)
	if !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == id.volume }) {
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: id.volume, ReadOnly: true, MountPath: id.mountPath})
	}
}

// projected is the volume with the token.
func (id identity) projected() corev1.Volume {
	return corev1.Volume{Name: id.volume, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
			Audience: id.audience, ExpirationSeconds: &id.expiration, Path: id.file,
		}}},
	}}}
}

// skippedContainers are those that a pod's annotation excepts, separated by commas. One that cannot be read excepts
// none.
func skippedContainers(annotations map[string]string) []string {
	names, err := csv.NewReader(strings.NewReader(annotations[annotationDomain+"skip-containers"])).Read()
	if err != nil {
		return nil
	}
	return names
}
