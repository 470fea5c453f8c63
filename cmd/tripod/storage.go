package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"tripod/az/controlplane"
	"tripod/incluster/addons"
	"tripod/incluster/ebscsi"
)

// storage is the driver of EBS volumes with what its add-on has in the cluster.
type storage struct {
	*ebscsi.Driver
	conf    *rest.Config
	objects []*unstructured.Unstructured
}

func (s storage) Install(ctx context.Context) error { return addons.Write(ctx, s.conf, s.objects) }
func (s storage) Uninstall(ctx context.Context) error {
	return errors.Join(s.Unregister(ctx), addons.Remove(ctx, s.conf, s.objects))
}

// callTimeout bounds a call of the AWS endpoint.
const callTimeout = 30 * time.Second

func newStorage(c controlplane.StorageConfig) (controlplane.Storage, error) {
	conf := administrator(c.WorkersConfig)
	role := aws.ToString(c.Addon.ServiceAccountRoleArn)
	objects, err := ebscsi.Objects(addons.Options{ClusterName: c.Cluster.Name, Region: c.Region},
		aws.ToString(c.Addon.AddonVersion), role)
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(conf)
	if err != nil {
		return nil, err
	}
	var snapshots dynamic.Interface
	if c.Snapshots {
		own, err := ebscsi.SnapshotObjects(addons.Options{ClusterName: c.Cluster.Name, Region: c.Region})
		if err != nil {
			return nil, err
		}
		objects = append(objects, own...)
		if snapshots, err = dynamic.NewForConfig(conf); err != nil {
			return nil, err
		}
	}
	call := aws.Config{Region: c.Region, BaseEndpoint: &c.URL, HTTPClient: &http.Client{Timeout: callTimeout,
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", c.FrontSocket)
		}}}}
	call.Credentials = aws.NewCredentialsCache(credentialsOf(c, client, call, role))
	var values struct {
		Controller struct {
			Tags map[string]string `json:"extraVolumeTags"`
		} `json:"controller"`
	}
	if err := yaml.Unmarshal([]byte(aws.ToString(c.Addon.ConfigurationValues)), &values); err != nil {
		return nil, err // EKS has checked it
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil)).With("az", c.Zone, "cluster", c.Cluster.Name, "component", "ebs-csi")
	return storage{ebscsi.New(ebscsi.Config{Cluster: c.Cluster.Name, Client: client, Dynamic: snapshots, EC2: ec2.NewFromConfig(call),
		Tags: values.Controller.Tags, Logger: logger}), conf, objects}, nil
}

// credentialsOf are the driver's: of the add-on's role, by a token of its service account, or what its pods find otherwise.
func credentialsOf(c controlplane.StorageConfig, client kubernetes.Interface, call aws.Config, role string) aws.CredentialsProvider {
	if role != "" {
		call.Credentials = aws.AnonymousCredentials{}
		return stscreds.NewWebIdentityRoleProvider(sts.NewFromConfig(call), role, accountToken{client})
	}
	return aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		found, expires, err := c.Credentials(ctx)
		return aws.Credentials{AccessKeyID: found.AccessKeyID, SecretAccessKey: found.SecretAccessKey,
			SessionToken: found.SessionToken, CanExpire: true, Expires: expires, Source: "tripod"}, err
	})
}

// accountToken is a token of the driver's service account for STS, as its pods find it in a file.
type accountToken struct{ client kubernetes.Interface }

func (t accountToken) GetIdentityToken() ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	made, err := t.client.CoreV1().ServiceAccounts("kube-system").CreateToken(ctx, "ebs-csi-controller-sa",
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{"sts.amazonaws.com"}}},
		metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	return []byte(made.Status.Token), nil
}
