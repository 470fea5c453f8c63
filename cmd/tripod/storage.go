package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/efs"
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
	"tripod/incluster/efscsi"
	"tripod/internal/datadir"
	"tripod/internal/sdkclient"
	"tripod/nodes/efsvolume"
)

// driver is a CSI driver of an add-on: ebscsi.Driver or efscsi.Driver.
type driver interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	Changes() <-chan struct{}
	Keep(ctx context.Context) (again time.Duration, err error)
	Unregister(ctx context.Context) error
}

// storage is a driver with what its add-on has in the cluster.
type storage struct {
	driver
	conf    *rest.Config
	objects []*unstructured.Unstructured
}

func (s storage) Install(ctx context.Context) error { return addons.Write(ctx, s.conf, s.objects) }
func (s storage) Uninstall(ctx context.Context) error {
	return errors.Join(s.Unregister(ctx), addons.Remove(ctx, s.conf, s.objects))
}

// callTimeout bounds a call of the AWS endpoint.
const callTimeout = 30 * time.Second

// installed is what the makers of drivers have in common.
type installed struct {
	controlplane.StorageConfig
	conf   *rest.Config
	client kubernetes.Interface
	call   aws.Config // of AWS, by the add-on's role
	role   string
	logger *slog.Logger
}

func newStorage(c controlplane.StorageConfig) (controlplane.Storage, error) {
	i := installed{StorageConfig: c, conf: administrator(c.WorkersConfig), role: aws.ToString(c.Addon.ServiceAccountRoleArn)}
	var err error
	if i.client, err = kubernetes.NewForConfig(i.conf); err != nil {
		return nil, err
	}
	i.call = aws.Config{Region: c.Region, BaseEndpoint: &c.URL, HTTPClient: sdkclient.Over(c.FrontSocket, callTimeout)}
	i.call.Credentials = aws.NewCredentialsCache(credentialsOf(c, i.client, i.call, i.role))
	name := aws.ToString(c.Addon.AddonName)
	i.logger = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("az", c.Zone, "cluster", c.Cluster.Name, "component", name)
	if name == "aws-efs-csi-driver" {
		return i.efs()
	}
	return i.ebs()
}

func (i installed) options() addons.Options {
	return addons.Options{ClusterName: i.Cluster.Name, Region: i.Region}
}

func (i installed) ebs() (controlplane.Storage, error) {
	objects, err := ebscsi.Objects(i.options(), aws.ToString(i.Addon.AddonVersion), i.role)
	if err != nil {
		return nil, err
	}
	var snapshots dynamic.Interface
	if i.Snapshots {
		own, err := ebscsi.SnapshotObjects(i.options())
		if err != nil {
			return nil, err
		}
		objects = append(objects, own...)
		if snapshots, err = dynamic.NewForConfig(i.conf); err != nil {
			return nil, err
		}
	}
	var values struct {
		Controller struct {
			Tags map[string]string `json:"extraVolumeTags"`
		} `json:"controller"`
		Class struct {
			Enabled bool `json:"enabled"`
		} `json:"defaultStorageClass"`
	}
	if err := i.read(&values); err != nil {
		return nil, err
	}
	if values.Class.Enabled {
		own, err := ebscsi.DefaultClass(i.options())
		if err != nil {
			return nil, err
		}
		objects = append(objects, own...)
	}
	return storage{ebscsi.New(ebscsi.Config{Cluster: i.Cluster.Name, Client: i.client, Dynamic: snapshots, EC2: ec2.NewFromConfig(i.call),
		Tags: values.Controller.Tags, Logger: i.logger}), i.conf, objects}, nil
}

func (i installed) efs() (controlplane.Storage, error) {
	version := aws.ToString(i.Addon.AddonVersion)
	objects, err := efscsi.Objects(i.options(), version, i.role)
	if err != nil {
		return nil, err
	}
	var values struct {
		Controller struct {
			Tags       map[string]string `json:"tags"`
			RemoveRoot bool              `json:"deleteAccessPointRootDir"`
		} `json:"controller"`
	}
	if err := i.read(&values); err != nil {
		return nil, err
	}
	config := efscsi.Config{Client: i.client, EFS: efs.NewFromConfig(i.call), Version: version, Tags: values.Controller.Tags,
		Logger: i.logger}
	if values.Controller.RemoveRoot {
		config.RemoveRoot = func(fileSystem, zone, path string) error {
			return efsvolume.Remove(datadir.FileSystem(i.DataDir, zone, fileSystem), path)
		}
	}
	return storage{efscsi.New(config), i.conf, objects}, nil
}

// read reads the add-on's configuration, which EKS has checked.
func (i installed) read(into any) error {
	return yaml.Unmarshal([]byte(aws.ToString(i.Addon.ConfigurationValues)), into)
}

// credentialsOf are the driver's: of the add-on's role, by a token of its service account, or what its pods find otherwise.
func credentialsOf(c controlplane.StorageConfig, client kubernetes.Interface, call aws.Config, role string) aws.CredentialsProvider {
	if role != "" {
		call.Credentials = aws.AnonymousCredentials{}
		return stscreds.NewWebIdentityRoleProvider(sts.NewFromConfig(call), role, accountToken{client, c.Account})
	}
	return aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		found, expires, err := c.Credentials(ctx)
		return aws.Credentials{AccessKeyID: found.AccessKeyID, SecretAccessKey: found.SecretAccessKey,
			SessionToken: found.SessionToken, CanExpire: true, Expires: expires, Source: "tripod"}, err
	})
}

// accountToken is a token of the driver's service account for STS, as its pods find it in a file.
type accountToken struct {
	client  kubernetes.Interface
	account string
}

func (t accountToken) GetIdentityToken() ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	made, err := t.client.CoreV1().ServiceAccounts("kube-system").CreateToken(ctx, t.account,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{"sts.amazonaws.com"}}},
		metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	return []byte(made.Status.Token), nil
}
