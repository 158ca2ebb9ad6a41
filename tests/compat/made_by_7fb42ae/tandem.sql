BEGIN TRANSACTION;
CREATE TABLE md_alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT md_alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "md_alembic_version" VALUES('0003');
CREATE TABLE md_answered (
	key_hash VARCHAR(64) NOT NULL, 
	request_hash VARCHAR(64) NOT NULL, 
	status INTEGER NOT NULL, 
	body TEXT NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (key_hash)
);
CREATE TABLE md_dataset (
	name_hash VARCHAR(64) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	status VARCHAR(20) NOT NULL, 
	type VARCHAR(50), 
	kind VARCHAR(50), 
	archive_sha256 VARCHAR(64), 
	size_bytes BIGINT, 
	samples BIGINT, 
	errors BIGINT, 
	warnings BIGINT, 
	summary TEXT, 
	message TEXT, 
	created_at DATETIME NOT NULL, 
	checked_at DATETIME, 
	PRIMARY KEY (name_hash)
);
INSERT INTO "md_dataset" VALUES('5464105120381493fb3350e3554d1897ba619abe196feed632a60ebc969f734c','reviews','READY','text','text',NULL,NULL,22,0,0,'{"path": "/tmp/tandem-7fb42ae0/datasets/reviews", "format": "text", "kind": "text", "classes": ["bad", "good"], "items": {"train": 16, "val": 6}, "annotated": {"train": 16, "val": 6}, "per_class": {"train": {"bad": 8, "good": 8}, "val": {"bad": 3, "good": 3}}, "errors": 0, "warnings": 0, "faults": [], "notes": [], "ok": true}',NULL,'2026-11-30 12:13:46.092425','2026-11-30 12:13:47.929974');
CREATE TABLE md_dataset_upload (
	id VARCHAR(32) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	type VARCHAR(50), 
	status VARCHAR(20) NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	sha256 VARCHAR(64), 
	blake2b VARCHAR(128), 
	dataset VARCHAR(255), 
	message TEXT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE md_dataset_version (
	id INTEGER NOT NULL, 
	name_hash VARCHAR(64) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	number INTEGER NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	signature VARCHAR(64) NOT NULL, 
	type VARCHAR(50), 
	files BIGINT NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	samples BIGINT, 
	classes TEXT, 
	created_at DATETIME NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "md_dataset_version" VALUES(1,'5464105120381493fb3350e3554d1897ba619abe196feed632a60ebc969f734c','reviews',1,'16fdc40f0b1f8e420d87527f6845c80728374b41b1ed9ea665859ddd5e73dea4','66fc8d0c564f56c01fcafe7372d3e262a01f7372cee8d07d899b36bee662a88f','text',2,1204,2,NULL,'2026-11-30 12:13:21.936563');
INSERT INTO "md_dataset_version" VALUES(2,'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855','',1,'e94bfbd114a19919eac794c40ad85a00ce31d9f37796dda53375f1ad4978f9f4','e8982840d5602da5658eaabbc7ee69e7487ebbecf44358503bf6ae8eaa6b5b50','classification',47,144438,NULL,NULL,'2026-11-30 12:13:51.003747');
CREATE TABLE md_lease (
	name VARCHAR(50) NOT NULL, 
	owner VARCHAR(100) NOT NULL, 
	beat BIGINT DEFAULT '0' NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "md_lease" VALUES('dispatcher','made-here:2999:712e53a6',55);
CREATE TABLE md_lora_preset (
	id INTEGER NOT NULL, 
	preset_name VARCHAR(100) NOT NULL, 
	preset_desc VARCHAR(500), 
	lora_rank INTEGER DEFAULT '16', 
	lora_alpha INTEGER DEFAULT '32', 
	lora_dropout NUMERIC(5, 3) DEFAULT '0.05', 
	target_modules VARCHAR(500), 
	create_by VARCHAR(64), 
	create_time DATETIME, 
	update_time DATETIME, 
	del_flag SMALLINT DEFAULT '0', 
	PRIMARY KEY (id), 
	UNIQUE (preset_name)
);
INSERT INTO "md_lora_preset" VALUES(1,'标准配置','日常微调的默认选择',16,32,0.05,'["q_proj", "v_proj"]','system','2026-11-30 12:13:16.000000','2026-11-30 12:13:16.000000',0);
INSERT INTO "md_lora_preset" VALUES(2,'高效配置','显存少或数据少时用',8,16,0.05,'["q_proj", "v_proj"]','system','2026-11-30 12:13:16.000000','2026-11-30 12:13:16.000000',0);
INSERT INTO "md_lora_preset" VALUES(3,'高精度配置','覆盖全部注意力层',32,64,0.03,'["q_proj", "v_proj", "k_proj", "o_proj"]','system','2026-11-30 12:13:16.000000','2026-11-30 12:13:16.000000',0);
INSERT INTO "md_lora_preset" VALUES(4,'全参数配置','覆盖注意力层和前馈层',16,32,0.05,'["q_proj", "v_proj", "k_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]','system','2026-11-30 12:13:16.000000','2026-11-30 12:13:16.000000',0);
INSERT INTO "md_lora_preset" VALUES(5,'mine',NULL,8,16,0.05,'["q_proj"]',NULL,'2026-11-30 12:13:45.000000','2026-11-30 12:13:45.000000',0);
CREATE TABLE md_model_evaluation (
	id INTEGER NOT NULL, 
	task_id VARCHAR(64) NOT NULL, 
	precision NUMERIC(10, 4), 
	recall NUMERIC(10, 4), 
	f1_score NUMERIC(10, 4), 
	map_50 NUMERIC(10, 4), 
	map_95 NUMERIC(10, 4), 
	eval_dataset_id VARCHAR(100), 
	eval_dataset_name VARCHAR(255), 
	eval_sample_count INTEGER, 
	eval_time DATETIME, 
	detailed_results TEXT, 
	PRIMARY KEY (id)
);
INSERT INTO "md_model_evaluation" VALUES(1,'TASK_EC4BAE41',25,50,33.3333,NULL,NULL,'reviews','reviews',6,'2026-11-30 12:13:33.000000','{"runId": "1d6b9ae299043e2a", "attempt": 1, "seq": 9, "digest": "f9da87c073b4584a", "metrics": {"accuracy": 0.5, "top5_accuracy": 1.0, "precision": 0.25, "recall": 0.5, "f1": 0.3333333333333333, "ece": 0.1411477474430959, "nll": 0.7221886456354089, "latency_milliseconds": 7.879988500008039, "throughput_images_per_second": 667.2097476017665}, "per_class": [{"class": "bad", "precision": 0.5, "recall": 1.0, "f1": 0.6666666666666666, "support": 3}, {"class": "good", "precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 3}], "confusion_matrix": [[3, 0], [3, 0]]}');
INSERT INTO "md_model_evaluation" VALUES(2,'TASK_CA100812',61.5,60,60.7,NULL,NULL,NULL,NULL,20,'2026-11-30 12:13:46.000000',NULL);
CREATE TABLE md_task_attempt (
	id INTEGER NOT NULL, 
	task_id VARCHAR(64) NOT NULL, 
	attempt INTEGER NOT NULL, 
	executor VARCHAR(50) NOT NULL, 
	host VARCHAR(255) NOT NULL, 
	devices VARCHAR(500), 
	started_at DATETIME NOT NULL, 
	ended_at DATETIME, 
	exit_code INTEGER, 
	outcome VARCHAR(20), 
	failure_class VARCHAR(30), 
	message TEXT, 
	PRIMARY KEY (id)
);
INSERT INTO "md_task_attempt" VALUES(1,'TASK_EC4BAE41',1,'local','made-here','["cpu"]','2026-11-30 12:13:21.398167','2026-11-30 12:13:36.817562',0,'finished',NULL,NULL);
INSERT INTO "md_task_attempt" VALUES(2,'TASK_2BDAB178',1,'local','made-here','["cpu"]','2026-11-30 12:13:36.837536','2026-11-30 12:13:50.231263',2,'failed','data',NULL);
INSERT INTO "md_task_attempt" VALUES(3,'INFER_A21FD20F',1,'local','made-here','["cpu"]','2026-11-30 12:13:50.247786','2026-11-30 12:14:06.299144',0,'finished',NULL,NULL);
INSERT INTO "md_task_attempt" VALUES(4,'TASK_A03823E7',1,'local','made-here','["cpu"]','2026-11-30 12:14:06.317416',NULL,NULL,NULL,NULL,NULL);
CREATE TABLE md_task_data (
	id INTEGER NOT NULL, 
	task_id VARCHAR(64) NOT NULL, 
	attempt INTEGER NOT NULL, 
	part VARCHAR(10) NOT NULL, 
	name_hash VARCHAR(64) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	number INTEGER, 
	digest VARCHAR(64), 
	message TEXT, 
	PRIMARY KEY (id)
);
INSERT INTO "md_task_data" VALUES(1,'TASK_EC4BAE41',1,'train','5464105120381493fb3350e3554d1897ba619abe196feed632a60ebc969f734c','reviews',1,'16fdc40f0b1f8e420d87527f6845c80728374b41b1ed9ea665859ddd5e73dea4',NULL);
INSERT INTO "md_task_data" VALUES(2,'TASK_2BDAB178',1,'train','48c54fa764d5c7ffc839bc69988401adc231a41e1e7fc0ee5c7cc72a4645c6fc','soon-gone',NULL,NULL,'There is no data set soon-gone.');
INSERT INTO "md_task_data" VALUES(3,'INFER_A21FD20F',1,'train','e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855','',1,'e94bfbd114a19919eac794c40ad85a00ce31d9f37796dda53375f1ad4978f9f4',NULL);
INSERT INTO "md_task_data" VALUES(4,'TASK_A03823E7',1,'train','5464105120381493fb3350e3554d1897ba619abe196feed632a60ebc969f734c','reviews',1,'16fdc40f0b1f8e420d87527f6845c80728374b41b1ed9ea665859ddd5e73dea4',NULL);
CREATE TABLE md_task_event (
	id INTEGER NOT NULL, 
	task_id VARCHAR(64) NOT NULL, 
	at DATETIME NOT NULL, 
	type VARCHAR(30) NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "md_task_event" VALUES(1,'TASK_EC4BAE41','2026-11-30 12:13:21.306631','created','{}');
INSERT INTO "md_task_event" VALUES(2,'TASK_EC4BAE41','2026-11-30 12:13:21.317462','state','{"status": "QUEUED"}');
INSERT INTO "md_task_event" VALUES(3,'TASK_EC4BAE41','2026-11-30 12:13:21.395967','state','{"status": "RUNNING"}');
INSERT INTO "md_task_event" VALUES(4,'TASK_EC4BAE41','2026-11-30 12:13:21.398248','launched','{"attempt": 1, "devices": ["cpu"]}');
INSERT INTO "md_task_event" VALUES(5,'TASK_2BDAB178','2026-11-30 12:13:21.421471','created','{}');
INSERT INTO "md_task_event" VALUES(6,'TASK_5AA4ECC8','2026-11-30 12:13:21.459831','created','{}');
INSERT INTO "md_task_event" VALUES(7,'TASK_EC4BAE41','2026-11-30 12:13:33.974997','state','{"status": "COMPLETED"}');
INSERT INTO "md_task_event" VALUES(8,'TASK_2BDAB178','2026-11-30 12:13:34.251375','state','{"status": "QUEUED"}');
INSERT INTO "md_task_event" VALUES(9,'TASK_EC4BAE41','2026-11-30 12:13:36.818635','ended','{"attempt": 1, "outcome": "finished", "exit_code": 0}');
INSERT INTO "md_task_event" VALUES(10,'TASK_2BDAB178','2026-11-30 12:13:36.826904','state','{"status": "RUNNING"}');
INSERT INTO "md_task_event" VALUES(11,'TASK_2BDAB178','2026-11-30 12:13:36.837668','launched','{"attempt": 1, "devices": ["cpu"]}');
INSERT INTO "md_task_event" VALUES(12,'TASK_2BDAB178','2026-11-30 12:13:45.890451','state','{"status": "FAILED"}');
INSERT INTO "md_task_event" VALUES(13,'TASK_CA100812','2026-11-30 12:13:45.979138','created','{}');
INSERT INTO "md_task_event" VALUES(14,'INFER_A21FD20F','2026-11-30 12:13:47.960012','state','{"status": "QUEUED"}');
INSERT INTO "md_task_event" VALUES(15,'TASK_2BDAB178','2026-11-30 12:13:50.232771','ended','{"attempt": 1, "outcome": "failed", "exit_code": 2}');
INSERT INTO "md_task_event" VALUES(16,'INFER_A21FD20F','2026-11-30 12:13:50.242281','state','{"status": "RUNNING"}');
INSERT INTO "md_task_event" VALUES(17,'INFER_A21FD20F','2026-11-30 12:13:50.247858','launched','{"attempt": 1, "devices": ["cpu"]}');
INSERT INTO "md_task_event" VALUES(18,'INFER_A21FD20F','2026-11-30 12:14:02.558304','state','{"status": "COMPLETED"}');
INSERT INTO "md_task_event" VALUES(19,'TASK_A03823E7','2026-11-30 12:14:02.570216','created','{}');
INSERT INTO "md_task_event" VALUES(20,'TASK_A03823E7','2026-11-30 12:14:02.571004','state','{"status": "QUEUED"}');
INSERT INTO "md_task_event" VALUES(21,'INFER_A21FD20F','2026-11-30 12:14:06.299437','ended','{"attempt": 1, "outcome": "finished", "exit_code": 0}');
INSERT INTO "md_task_event" VALUES(22,'TASK_A03823E7','2026-11-30 12:14:06.306991','state','{"status": "RUNNING"}');
INSERT INTO "md_task_event" VALUES(23,'TASK_A03823E7','2026-11-30 12:14:06.317507','launched','{"attempt": 1, "devices": ["cpu"]}');
INSERT INTO "md_task_event" VALUES(24,'TASK_00117AB6','2026-11-30 12:14:17.784939','created','{}');
INSERT INTO "md_task_event" VALUES(25,'TASK_00117AB6','2026-11-30 12:14:17.785746','state','{"status": "QUEUED"}');
CREATE TABLE md_task_job (
	task_id VARCHAR(64) NOT NULL, 
	spec TEXT, 
	run_dir VARCHAR(1000), 
	priority INTEGER DEFAULT '0' NOT NULL, 
	position BIGINT, 
	queued_at DATETIME, 
	waiting_reason VARCHAR(500), 
	wanted VARCHAR(20), 
	wanted_at DATETIME, 
	live SMALLINT DEFAULT '0' NOT NULL, 
	attempt INTEGER DEFAULT '0' NOT NULL, 
	resumes INTEGER DEFAULT '0' NOT NULL, 
	handle TEXT, 
	devices VARCHAR(500), 
	token_hash VARCHAR(64), 
	last_seq BIGINT DEFAULT '0' NOT NULL, 
	offset_bytes BIGINT DEFAULT '0' NOT NULL, 
	journal VARCHAR(32), 
	outcome VARCHAR(20), 
	failure_class VARCHAR(30), 
	advice TEXT, 
	heartbeat_at DATETIME, 
	doing VARCHAR(200), 
	step BIGINT, 
	total_steps BIGINT, 
	metrics TEXT, 
	PRIMARY KEY (task_id)
);
INSERT INTO "md_task_job" VALUES('TASK_EC4BAE41','{"task_id":"TASK_EC4BAE41","kind":"text","mode":"distillation","data":{"root":"/tmp/tandem-7fb42ae0/datasets","dataset":"reviews","val_dataset":null,"val_ratio":0.15,"num_classes":null,"image_size":224,"workers":null,"max_image_pixels":120000000},"teacher":{"name":null,"path":"/tmp/tandem-7fb42ae0/models/bert-teacher","family":"auto","precision":"auto","knowledge":"auto","image_size":224,"layers":[],"prompt":null,"label_orders":4,"probe_folds":5,"calibrate":true,"frames":0,"batch_size":8},"lora":{"rank":0,"on":"auto","alpha":16.0,"dropout":0.1,"target_modules":[],"layers":"all","bias":"none","epochs":3,"learning_rate":0.0002,"batch_size":8},"student":{"type":"bert","size":"bert-mini","init":"random","path":null,"dropout":0.0,"head":"class","frames":8,"pooling":"last","train_features":false,"max_tokens":16,"quantise":"none","vocab_size":0},"loss":{"distillation_type":"hybrid","temperature":4.0,"hard_label_weight":0.5,"soft_label_weight":0.5,"soft_loss":"kl_div","feature_weight":1.0,"feature_loss":"mse","align_feature":true,"attention_weight":0.0,"relation_weight":0.0,"intermediate_weight":0.0,"intermediate_layers":[],"label_smoothing":0.0,"options":{}},"optim":{"epochs":2,"batch_size":8,"learning_rate":0.0001,"optimizer":"adamw","momentum":0.9,"scheduler":"cosine","warmup_epochs":0.0,"warmup_steps":0,"weight_decay":0.01,"grad_accum_steps":1,"max_grad_norm":1.0,"ema_decay":0.0,"early_stopping_epochs":0},"views":{"count":1,"crop_scale_min":0.7,"flip":"auto","colour":0.2,"mixup":0.0,"cutmix":0.0},"yolo":{"mosaic":1.0,"close_mosaic_epochs":10,"degrees":0.0,"translate":0.1,"scale":0.5,"shear":0.0,"flip_sideways":0.5,"flip_upside_down":0.0,"hue":0.015,"saturation":0.7,"value":0.4,"box_gain":7.5,"cls_gain":0.5,"dfl_gain":1.5,"nominal_batch_size":64,"final_rate":0.01},"cache":{"mode":"on","root":"/tmp/tandem-7fb42ae0/cache","grid":null,"dims":256,"dtype":"float16","verify_samples":4},"run":{"output_dir":"/tmp/tandem-7fb42ae0/runs/TASK_EC4BAE41","seed":0,"devices":"cpu","processes":null,"precision":"auto","save_checkpoints":false,"checkpoint_interval":100,"log_interval":4},"report":{"api_base_url":null,"delivery_grace_seconds":30.0,"tensorboard":false,"baseline":false}}','/tmp/tandem-7fb42ae0/runs/TASK_EC4BAE41',0,1,'2026-11-30 12:13:21.333261',NULL,NULL,NULL,0,1,0,NULL,NULL,NULL,13,4160,'1d6b9ae299043e2a','finished',NULL,NULL,'2026-11-30 12:13:33.962740',NULL,4,4,'{"loss": 1.9510258436203003, "loss/cross_entropy": 0.6707507371902466, "loss/kl_div": 0.7428220510482788, "loss/feature_mse": 1.2442394495010376, "learning_rate": 0.0, "grad_norm": 7.083930969238281}');
INSERT INTO "md_task_job" VALUES('TASK_2BDAB178','{"task_id":"TASK_2BDAB178","kind":"text","mode":"distillation","data":{"root":"/tmp/tandem-7fb42ae0/datasets","dataset":"soon-gone","val_dataset":null,"val_ratio":0.15,"num_classes":null,"image_size":224,"workers":null,"max_image_pixels":120000000},"teacher":{"name":null,"path":"/tmp/tandem-7fb42ae0/models/bert-teacher","family":"auto","precision":"auto","knowledge":"auto","image_size":224,"layers":[],"prompt":null,"label_orders":4,"probe_folds":5,"calibrate":true,"frames":0,"batch_size":8},"lora":{"rank":0,"on":"auto","alpha":16.0,"dropout":0.1,"target_modules":[],"layers":"all","bias":"none","epochs":3,"learning_rate":0.0002,"batch_size":8},"student":{"type":"bert","size":"bert-mini","init":"random","path":null,"dropout":0.0,"head":"class","frames":8,"pooling":"last","train_features":false,"max_tokens":16,"quantise":"none","vocab_size":0},"loss":{"distillation_type":"hybrid","temperature":4.0,"hard_label_weight":0.5,"soft_label_weight":0.5,"soft_loss":"kl_div","feature_weight":1.0,"feature_loss":"mse","align_feature":true,"attention_weight":0.0,"relation_weight":0.0,"intermediate_weight":0.0,"intermediate_layers":[],"label_smoothing":0.0,"options":{}},"optim":{"epochs":2,"batch_size":8,"learning_rate":0.0001,"optimizer":"adamw","momentum":0.9,"scheduler":"cosine","warmup_epochs":0.0,"warmup_steps":0,"weight_decay":0.01,"grad_accum_steps":1,"max_grad_norm":1.0,"ema_decay":0.0,"early_stopping_epochs":0},"views":{"count":1,"crop_scale_min":0.7,"flip":"auto","colour":0.2,"mixup":0.0,"cutmix":0.0},"yolo":{"mosaic":1.0,"close_mosaic_epochs":10,"degrees":0.0,"translate":0.1,"scale":0.5,"shear":0.0,"flip_sideways":0.5,"flip_upside_down":0.0,"hue":0.015,"saturation":0.7,"value":0.4,"box_gain":7.5,"cls_gain":0.5,"dfl_gain":1.5,"nominal_batch_size":64,"final_rate":0.01},"cache":{"mode":"on","root":"/tmp/tandem-7fb42ae0/cache","grid":null,"dims":256,"dtype":"float16","verify_samples":4},"run":{"output_dir":"/tmp/tandem-7fb42ae0/runs/TASK_2BDAB178","seed":0,"devices":"cpu","processes":null,"precision":"auto","save_checkpoints":false,"checkpoint_interval":100,"log_interval":4},"report":{"api_base_url":null,"delivery_grace_seconds":30.0,"tensorboard":false,"baseline":false}}','/tmp/tandem-7fb42ae0/runs/TASK_2BDAB178',0,2,'2026-11-30 12:13:34.258472',NULL,NULL,NULL,0,1,0,NULL,NULL,NULL,2,539,'8828bd6dac41df14','failed','data','Mend the data set that the message names, then start the task again.','2026-11-30 12:13:45.883199',NULL,NULL,NULL,NULL);
INSERT INTO "md_task_job" VALUES('TASK_5AA4ECC8','{"task_id":"TASK_5AA4ECC8","kind":"text","mode":"distillation","data":{"root":"/tmp/tandem-7fb42ae0/datasets","dataset":"reviews","val_dataset":null,"val_ratio":0.15,"num_classes":null,"image_size":224,"workers":null,"max_image_pixels":120000000},"teacher":{"name":null,"path":"/tmp/tandem-7fb42ae0/models/bert-teacher","family":"auto","precision":"auto","knowledge":"auto","image_size":224,"layers":[],"prompt":null,"label_orders":4,"probe_folds":5,"calibrate":true,"frames":0,"batch_size":8},"lora":{"rank":0,"on":"auto","alpha":16.0,"dropout":0.1,"target_modules":[],"layers":"all","bias":"none","epochs":3,"learning_rate":0.0002,"batch_size":8},"student":{"type":"bert","size":"bert-mini","init":"random","path":null,"dropout":0.0,"head":"class","frames":8,"pooling":"last","train_features":false,"max_tokens":16,"quantise":"none","vocab_size":0},"loss":{"distillation_type":"hybrid","temperature":4.0,"hard_label_weight":0.5,"soft_label_weight":0.5,"soft_loss":"kl_div","feature_weight":1.0,"feature_loss":"mse","align_feature":true,"attention_weight":0.0,"relation_weight":0.0,"intermediate_weight":0.0,"intermediate_layers":[],"label_smoothing":0.0,"options":{}},"optim":{"epochs":2,"batch_size":8,"learning_rate":0.0001,"optimizer":"adamw","momentum":0.9,"scheduler":"cosine","warmup_epochs":0.0,"warmup_steps":0,"weight_decay":0.01,"grad_accum_steps":1,"max_grad_norm":1.0,"ema_decay":0.0,"early_stopping_epochs":0},"views":{"count":1,"crop_scale_min":0.7,"flip":"auto","colour":0.2,"mixup":0.0,"cutmix":0.0},"yolo":{"mosaic":1.0,"close_mosaic_epochs":10,"degrees":0.0,"translate":0.1,"scale":0.5,"shear":0.0,"flip_sideways":0.5,"flip_upside_down":0.0,"hue":0.015,"saturation":0.7,"value":0.4,"box_gain":7.5,"cls_gain":0.5,"dfl_gain":1.5,"nominal_batch_size":64,"final_rate":0.01},"cache":{"mode":"on","root":"/tmp/tandem-7fb42ae0/cache","grid":null,"dims":256,"dtype":"float16","verify_samples":4},"run":{"output_dir":"/tmp/tandem-7fb42ae0/runs/TASK_5AA4ECC8","seed":0,"devices":"cpu","processes":null,"precision":"auto","save_checkpoints":false,"checkpoint_interval":100,"log_interval":4},"report":{"api_base_url":null,"delivery_grace_seconds":30.0,"tensorboard":false,"baseline":false}}','/tmp/tandem-7fb42ae0/runs/TASK_5AA4ECC8',0,NULL,NULL,NULL,NULL,NULL,0,0,0,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "md_task_job" VALUES('TASK_CA100812','{"task_id":"TASK_CA100812","kind":"text","mode":"distillation","data":{"root":"/tmp/tandem-7fb42ae0/datasets","dataset":"reviews","val_dataset":null,"val_ratio":0.15,"num_classes":null,"image_size":224,"workers":null,"max_image_pixels":120000000},"teacher":{"name":"bert-teacher","path":"/tmp/tandem-7fb42ae0/models/bert-teacher","family":"auto","precision":"auto","knowledge":"auto","image_size":224,"layers":[],"prompt":null,"label_orders":4,"probe_folds":5,"calibrate":true,"frames":0,"batch_size":16},"lora":{"rank":16,"on":"auto","alpha":32.0,"dropout":0.05,"target_modules":[],"layers":"all","bias":"none","epochs":3,"learning_rate":0.0002,"batch_size":8},"student":{"type":"bert","size":"bert-mini","init":"random","path":null,"dropout":0.0,"head":"class","frames":8,"pooling":"last","train_features":false,"max_tokens":128,"quantise":"none","vocab_size":0},"loss":{"distillation_type":"hybrid","temperature":3.0,"hard_label_weight":0.3,"soft_label_weight":0.7,"soft_loss":"kl_div","feature_weight":1.0,"feature_loss":"mse","align_feature":true,"attention_weight":0.0,"relation_weight":0.0,"intermediate_weight":0.0,"intermediate_layers":[],"label_smoothing":0.0,"options":{}},"optim":{"epochs":3,"batch_size":32,"learning_rate":0.001,"optimizer":"adamw","momentum":0.9,"scheduler":"cosine","warmup_epochs":0.0,"warmup_steps":0,"weight_decay":0.01,"grad_accum_steps":1,"max_grad_norm":1.0,"ema_decay":0.0,"early_stopping_epochs":0},"views":{"count":4,"crop_scale_min":0.7,"flip":"auto","colour":0.2,"mixup":0.0,"cutmix":0.0},"yolo":{"mosaic":1.0,"close_mosaic_epochs":10,"degrees":0.0,"translate":0.1,"scale":0.5,"shear":0.0,"flip_sideways":0.5,"flip_upside_down":0.0,"hue":0.015,"saturation":0.7,"value":0.4,"box_gain":7.5,"cls_gain":0.5,"dfl_gain":1.5,"nominal_batch_size":64,"final_rate":0.01},"cache":{"mode":"on","root":"/tmp/tandem-7fb42ae0/cache","grid":null,"dims":256,"dtype":"float16","verify_samples":4},"run":{"output_dir":"/tmp/tandem-7fb42ae0/runs/TASK_CA100812","seed":0,"devices":"auto","processes":null,"precision":"auto","save_checkpoints":true,"checkpoint_interval":10,"log_interval":10},"report":{"api_base_url":null,"delivery_grace_seconds":30.0,"tensorboard":true,"baseline":false}}','/tmp/tandem-7fb42ae0/runs/TASK_CA100812',0,NULL,NULL,NULL,NULL,NULL,0,0,0,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "md_task_job" VALUES('INFER_A21FD20F','{"format":"tandem-annotation-1","task_id":"INFER_A21FD20F","model":"/tmp/tandem-7fb42ae0/runs/TASK_EC4BAE41/final_model","model_name":"done","trained_by":"TASK_EC4BAE41","input":"/tmp/tandem-7fb42ae0/datasets/unread","output":"/tmp/tandem-7fb42ae0/runs/INFER_A21FD20F/labels","run_dir":"/tmp/tandem-7fb42ae0/runs/INFER_A21FD20F","writer":"","threshold":null,"batch_size":8,"devices":"auto","pictures":true,"video_every":1,"dataset":null,"auto_import":false}','/tmp/tandem-7fb42ae0/runs/INFER_A21FD20F',0,3,'2026-11-30 12:13:47.960680',NULL,NULL,NULL,0,1,0,NULL,NULL,NULL,4,756,'ec3c4df7a55226d4','finished',NULL,NULL,'2026-11-30 12:14:02.555970',NULL,3,3,'{"succeeded": 3.0, "failed": 0.0}');
INSERT INTO "md_task_job" VALUES('TASK_A03823E7','{"task_id":"TASK_A03823E7","kind":"text","mode":"distillation","data":{"root":"/tmp/tandem-7fb42ae0/datasets","dataset":"reviews","val_dataset":null,"val_ratio":0.15,"num_classes":null,"image_size":224,"workers":null,"max_image_pixels":120000000},"teacher":{"name":null,"path":"/tmp/tandem-7fb42ae0/models/bert-teacher","family":"auto","precision":"auto","knowledge":"auto","image_size":224,"layers":[],"prompt":null,"label_orders":4,"probe_folds":5,"calibrate":true,"frames":0,"batch_size":8},"lora":{"rank":0,"on":"auto","alpha":16.0,"dropout":0.1,"target_modules":[],"layers":"all","bias":"none","epochs":3,"learning_rate":0.0002,"batch_size":8},"student":{"type":"bert","size":"bert-mini","init":"random","path":null,"dropout":0.0,"head":"class","frames":8,"pooling":"last","train_features":false,"max_tokens":16,"quantise":"none","vocab_size":0},"loss":{"distillation_type":"hybrid","temperature":4.0,"hard_label_weight":0.5,"soft_label_weight":0.5,"soft_loss":"kl_div","feature_weight":1.0,"feature_loss":"mse","align_feature":true,"attention_weight":0.0,"relation_weight":0.0,"intermediate_weight":0.0,"intermediate_layers":[],"label_smoothing":0.0,"options":{}},"optim":{"epochs":8,"batch_size":8,"learning_rate":0.0001,"optimizer":"adamw","momentum":0.9,"scheduler":"cosine","warmup_epochs":0.0,"warmup_steps":0,"weight_decay":0.01,"grad_accum_steps":1,"max_grad_norm":1.0,"ema_decay":0.0,"early_stopping_epochs":0},"views":{"count":1,"crop_scale_min":0.7,"flip":"auto","colour":0.2,"mixup":0.0,"cutmix":0.0},"yolo":{"mosaic":1.0,"close_mosaic_epochs":10,"degrees":0.0,"translate":0.1,"scale":0.5,"shear":0.0,"flip_sideways":0.5,"flip_upside_down":0.0,"hue":0.015,"saturation":0.7,"value":0.4,"box_gain":7.5,"cls_gain":0.5,"dfl_gain":1.5,"nominal_batch_size":64,"final_rate":0.01},"cache":{"mode":"on","root":"/tmp/tandem-7fb42ae0/cache","grid":null,"dims":256,"dtype":"float16","verify_samples":4},"run":{"output_dir":"/tmp/tandem-7fb42ae0/runs/TASK_A03823E7","seed":0,"devices":"cpu","processes":null,"precision":"auto","save_checkpoints":false,"checkpoint_interval":100,"log_interval":4},"report":{"api_base_url":null,"delivery_grace_seconds":30.0,"tensorboard":false,"baseline":false}}','/tmp/tandem-7fb42ae0/runs/TASK_A03823E7',0,4,'2026-11-30 12:14:02.571474',NULL,NULL,NULL,1,1,0,'{"executor":"local","id":"4050","born":"207605 dfd4a5bb-8a3f-426e-b9c9-3799fd446b79","host":"made-here","exit_file":"/tmp/tandem-7fb42ae0/launch/TASK_A03823E7-1.exit"}','["cpu"]','7ca6caa591d9dd7f10241e86cb7b6562dc33103ee334b0084d0c86a8e726c2d6',6,1692,'1fce52dc8627a8c8',NULL,NULL,NULL,'2026-11-30 12:14:17.747256','epoch 1',NULL,NULL,NULL);
INSERT INTO "md_task_job" VALUES('TASK_00117AB6','{"task_id":"TASK_00117AB6","kind":"text","mode":"direct","data":{"root":"/tmp/tandem-7fb42ae0/datasets","dataset":"reviews","val_dataset":null,"val_ratio":0.15,"num_classes":null,"image_size":224,"workers":null,"max_image_pixels":120000000},"teacher":null,"lora":{"rank":0,"on":"auto","alpha":16.0,"dropout":0.1,"target_modules":[],"layers":"all","bias":"none","epochs":3,"learning_rate":0.0002,"batch_size":8},"student":{"type":"bert","size":"bert-mini","init":"random","path":null,"dropout":0.0,"head":"class","frames":8,"pooling":"last","train_features":false,"max_tokens":16,"quantise":"none","vocab_size":0},"loss":{"distillation_type":"hybrid","temperature":4.0,"hard_label_weight":0.5,"soft_label_weight":0.5,"soft_loss":"kl_div","feature_weight":1.0,"feature_loss":"mse","align_feature":true,"attention_weight":0.0,"relation_weight":0.0,"intermediate_weight":0.0,"intermediate_layers":[],"label_smoothing":0.0,"options":{}},"optim":{"epochs":2,"batch_size":8,"learning_rate":0.0001,"optimizer":"adamw","momentum":0.9,"scheduler":"cosine","warmup_epochs":0.0,"warmup_steps":0,"weight_decay":0.01,"grad_accum_steps":1,"max_grad_norm":1.0,"ema_decay":0.0,"early_stopping_epochs":0},"views":{"count":1,"crop_scale_min":0.7,"flip":"auto","colour":0.2,"mixup":0.0,"cutmix":0.0},"yolo":{"mosaic":1.0,"close_mosaic_epochs":10,"degrees":0.0,"translate":0.1,"scale":0.5,"shear":0.0,"flip_sideways":0.5,"flip_upside_down":0.0,"hue":0.015,"saturation":0.7,"value":0.4,"box_gain":7.5,"cls_gain":0.5,"dfl_gain":1.5,"nominal_batch_size":64,"final_rate":0.01},"cache":{"mode":"on","root":"/tmp/tandem-7fb42ae0/cache","grid":null,"dims":256,"dtype":"float16","verify_samples":4},"run":{"output_dir":"/tmp/tandem-7fb42ae0/runs/TASK_00117AB6","seed":0,"devices":"cpu","processes":null,"precision":"auto","save_checkpoints":false,"checkpoint_interval":100,"log_interval":4},"report":{"api_base_url":null,"delivery_grace_seconds":30.0,"tensorboard":false,"baseline":false}}','/tmp/tandem-7fb42ae0/runs/TASK_00117AB6',0,5,'2026-11-30 12:14:17.786175','All 1 CPU slots are taken.',NULL,NULL,0,0,0,NULL,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE md_training_history (
	id INTEGER NOT NULL, 
	task_id VARCHAR(64) NOT NULL, 
	epoch INTEGER NOT NULL, 
	train_loss NUMERIC(10, 6), 
	train_accuracy NUMERIC(10, 4), 
	val_loss NUMERIC(10, 6), 
	val_accuracy NUMERIC(10, 4), 
	distill_loss NUMERIC(10, 6), 
	hard_loss NUMERIC(10, 6), 
	soft_loss NUMERIC(10, 6), 
	gpu_usage NUMERIC(5, 2), 
	memory_usage NUMERIC(10, 2), 
	epoch_time NUMERIC(10, 2), 
	record_time DATETIME, 
	PRIMARY KEY (id)
);
INSERT INTO "md_training_history" VALUES(1,'TASK_EC4BAE41',1,2.276966,37.5,0.722189,50,2.314441,0.8593,0.93425,NULL,926.48,0.27,'2026-11-30 12:13:32.000000');
INSERT INTO "md_training_history" VALUES(2,'TASK_EC4BAE41',2,1.996248,56.25,0.685411,50,2.034769,0.703508,0.780549,NULL,926.98,0.2,'2026-11-30 12:13:32.000000');
INSERT INTO "md_training_history" VALUES(3,'TASK_CA100812',1,1,NULL,NULL,40,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-30 12:13:46.000000');
INSERT INTO "md_training_history" VALUES(4,'TASK_CA100812',2,0.5,NULL,NULL,80,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-30 12:13:46.000000');
INSERT INTO "md_training_history" VALUES(5,'TASK_A03823E7',1,2.276966,37.5,0.719047,50,2.314441,0.8593,0.93425,NULL,924.75,0.1,'2026-11-30 12:14:17.000000');
CREATE TABLE md_training_task (
	id INTEGER NOT NULL, 
	task_id VARCHAR(64) NOT NULL, 
	task_name VARCHAR(255) NOT NULL, 
	task_input_name VARCHAR(255), 
	description VARCHAR(500), 
	teacher_model VARCHAR(100) NOT NULL, 
	student_model VARCHAR(100) NOT NULL, 
	total_epochs INTEGER DEFAULT '50', 
	current_epoch INTEGER DEFAULT '0', 
	batch_size INTEGER DEFAULT '32', 
	learning_rate NUMERIC(10, 8) DEFAULT '0.001', 
	temperature NUMERIC(5, 2) DEFAULT '3.0', 
	alpha NUMERIC(5, 2) DEFAULT '0.7', 
	lora_rank INTEGER DEFAULT '16', 
	lora_alpha INTEGER DEFAULT '32', 
	lora_dropout NUMERIC(5, 3) DEFAULT '0.05', 
	training_config TEXT, 
	training_mode VARCHAR(20), 
	student_model_type VARCHAR(50), 
	student_model_size VARCHAR(50), 
	task_type VARCHAR(50) DEFAULT 'classification', 
	num_classes INTEGER DEFAULT '10', 
	status VARCHAR(20) DEFAULT 'PENDING', 
	progress INTEGER DEFAULT '0', 
	accuracy NUMERIC(10, 4), 
	loss NUMERIC(10, 6), 
	best_accuracy NUMERIC(10, 4), 
	dataset_id VARCHAR(100), 
	dataset_name VARCHAR(255), 
	val_dataset_id VARCHAR(100), 
	val_dataset_name VARCHAR(255), 
	model_path VARCHAR(500), 
	model_url VARCHAR(500), 
	checkpoint_path VARCHAR(500), 
	error_message TEXT, 
	start_time DATETIME, 
	end_time DATETIME, 
	duration BIGINT, 
	create_by VARCHAR(64), 
	create_time DATETIME, 
	update_by VARCHAR(64), 
	update_time DATETIME, 
	remark VARCHAR(500), 
	del_flag SMALLINT DEFAULT '0', 
	PRIMARY KEY (id), 
	UNIQUE (task_id)
);
INSERT INTO "md_training_task" VALUES(1,'TASK_BC9277C5','foreign',NULL,NULL,'-','onnx',0,0,32,0.001,3,0.7,16,32,0.05,NULL,'imported',NULL,'onnx','classification',3,'COMPLETED',100,87.5,NULL,87.5,NULL,NULL,NULL,NULL,'/tmp/tandem-7fb42ae0/models/foreign/model.onnx',NULL,NULL,NULL,NULL,'2026-11-30 12:13:16.000000',NULL,NULL,'2026-11-30 12:13:16.000000',NULL,NULL,'Imported; it was trained elsewhere.',0);
INSERT INTO "md_training_task" VALUES(2,'TASK_EC4BAE41','done',NULL,'made as done','bert-teacher','bert-mini',2,2,8,0.0001,4,0.5,0,16,0.1,'{"optimizer": "adamw", "lrScheduler": "cosine", "weightDecay": 0.01, "gradAccumSteps": 1, "maxGradNorm": 1.0, "gpuDevices": "cpu", "autoSaveCheckpoint": false, "checkpointInterval": 100, "taskType": "text", "numClasses": null, "imageSize": 224, "distillationType": "hybrid", "featureLossType": "mse", "alignFeature": true, "teacherModelConfig": {"paramSize": null, "modelPath": "/tmp/tandem-7fb42ae0/models/bert-teacher", "quantization": "none"}, "studentModelConfig": {"paramSize": null, "initMethod": "random", "pretrainPath": null}, "loraAdvancedConfig": {"targetModules": [], "layers": "all", "biasTrain": "none"}, "distillationAdvancedConfig": {"hardLabelWeight": 0.5, "softLabelWeight": 0.5, "lossType": "kl_div", "intermediateLayers": [], "attentionDistill": false}}','distillation','bert','bert-mini','text',10,'COMPLETED',100,50,1.996248,50,'reviews','reviews',NULL,NULL,'/tmp/tandem-7fb42ae0/runs/TASK_EC4BAE41/final_model','file:///tmp/tandem-7fb42ae0/runs/TASK_EC4BAE41/final_model',NULL,NULL,'2026-11-30 12:13:21.000000','2026-11-30 12:13:33.000000',12,NULL,'2026-11-30 12:13:21.000000',NULL,'2026-11-30 12:13:33.974409',NULL,0);
INSERT INTO "md_training_task" VALUES(3,'TASK_2BDAB178','gone',NULL,'made as gone','bert-teacher','bert-mini',2,0,8,0.0001,4,0.5,0,16,0.1,'{"optimizer": "adamw", "lrScheduler": "cosine", "weightDecay": 0.01, "gradAccumSteps": 1, "maxGradNorm": 1.0, "gpuDevices": "cpu", "autoSaveCheckpoint": false, "checkpointInterval": 100, "taskType": "text", "numClasses": null, "imageSize": 224, "distillationType": "hybrid", "featureLossType": "mse", "alignFeature": true, "teacherModelConfig": {"paramSize": null, "modelPath": "/tmp/tandem-7fb42ae0/models/bert-teacher", "quantization": "none"}, "studentModelConfig": {"paramSize": null, "initMethod": "random", "pretrainPath": null}, "loraAdvancedConfig": {"targetModules": [], "layers": "all", "biasTrain": "none"}, "distillationAdvancedConfig": {"hardLabelWeight": 0.5, "softLabelWeight": 0.5, "lossType": "kl_div", "intermediateLayers": [], "attentionDistill": false}}','distillation','bert','bert-mini','text',10,'FAILED',0,NULL,NULL,NULL,'soon-gone','soon-gone',NULL,NULL,NULL,NULL,NULL,'There is no data set soon-gone in /tmp/tandem-7fb42ae0/datasets. Allowed: boxes, clips, ground, reviews, scenes, unread. Put it at /tmp/tandem-7fb42ae0/datasets/soon-gone, or set datasets_root to the folder that holds it.','2026-11-30 12:13:36.000000','2026-11-30 12:13:45.000000',9,NULL,'2026-11-30 12:13:21.000000',NULL,'2026-11-30 12:13:45.889554',NULL,0);
INSERT INTO "md_training_task" VALUES(4,'TASK_5AA4ECC8','only made',NULL,'made as only made','bert-teacher','bert-mini',2,0,8,0.0001,4,0.5,0,16,0.1,'{"optimizer": "adamw", "lrScheduler": "cosine", "weightDecay": 0.01, "gradAccumSteps": 1, "maxGradNorm": 1.0, "gpuDevices": "cpu", "autoSaveCheckpoint": false, "checkpointInterval": 100, "taskType": "text", "numClasses": null, "imageSize": 224, "distillationType": "hybrid", "featureLossType": "mse", "alignFeature": true, "teacherModelConfig": {"paramSize": null, "modelPath": "/tmp/tandem-7fb42ae0/models/bert-teacher", "quantization": "none"}, "studentModelConfig": {"paramSize": null, "initMethod": "random", "pretrainPath": null}, "loraAdvancedConfig": {"targetModules": [], "layers": "all", "biasTrain": "none"}, "distillationAdvancedConfig": {"hardLabelWeight": 0.5, "softLabelWeight": 0.5, "lossType": "kl_div", "intermediateLayers": [], "attentionDistill": false}}','distillation','bert','bert-mini','text',10,'PENDING',0,NULL,NULL,NULL,'reviews','reviews',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-30 12:13:21.000000',NULL,'2026-11-30 12:13:21.000000',NULL,0);
INSERT INTO "md_training_task" VALUES(5,'TASK_CA100812','installed',NULL,NULL,'bert-teacher','bert-mini',3,0,32,0.001,3,0.7,16,32,0.05,'{"optimizer": "adamw", "lrScheduler": "cosine", "weightDecay": 0.01, "gradAccumSteps": 1, "maxGradNorm": 1.0, "gpuDevices": [], "autoSaveCheckpoint": true, "checkpointInterval": 10, "taskType": "text", "numClasses": null, "imageSize": 224, "distillationType": "hybrid", "featureLossType": "mse", "alignFeature": true, "teacherModelConfig": {"paramSize": null, "modelPath": null, "quantization": "none"}, "studentModelConfig": {"paramSize": null, "initMethod": "random", "pretrainPath": null}, "loraAdvancedConfig": {"targetModules": [], "layers": "all", "biasTrain": "none"}, "distillationAdvancedConfig": {"hardLabelWeight": 0.3, "softLabelWeight": 0.7, "lossType": "kl_div", "intermediateLayers": [], "attentionDistill": false}}','distillation','bert','bert-mini','text',10,'PENDING',0,NULL,NULL,NULL,'reviews','reviews',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-30 12:13:45.000000',NULL,'2026-11-30 12:13:45.000000',NULL,0);
INSERT INTO "md_training_task" VALUES(6,'INFER_A21FD20F','done: unread',NULL,NULL,'bert-teacher','bert-mini',1,0,8,0.001,3,0.7,16,32,0.05,NULL,NULL,NULL,NULL,'classification',10,'COMPLETED',100,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'/tmp/tandem-7fb42ae0/runs/TASK_EC4BAE41/final_model',NULL,NULL,NULL,'2026-11-30 12:13:50.000000','2026-11-30 12:14:02.000000',12,NULL,'2026-11-30 12:13:47.000000',NULL,'2026-11-30 12:14:02.557717',NULL,2);
INSERT INTO "md_training_task" VALUES(7,'TASK_A03823E7','unheard',NULL,'made as unheard','bert-teacher','bert-mini',8,1,8,0.0001,4,0.5,0,16,0.1,'{"optimizer": "adamw", "lrScheduler": "cosine", "weightDecay": 0.01, "gradAccumSteps": 1, "maxGradNorm": 1.0, "gpuDevices": "cpu", "autoSaveCheckpoint": false, "checkpointInterval": 100, "taskType": "text", "numClasses": null, "imageSize": 224, "distillationType": "hybrid", "featureLossType": "mse", "alignFeature": true, "teacherModelConfig": {"paramSize": null, "modelPath": "/tmp/tandem-7fb42ae0/models/bert-teacher", "quantization": "none"}, "studentModelConfig": {"paramSize": null, "initMethod": "random", "pretrainPath": null}, "loraAdvancedConfig": {"targetModules": [], "layers": "all", "biasTrain": "none"}, "distillationAdvancedConfig": {"hardLabelWeight": 0.5, "softLabelWeight": 0.5, "lossType": "kl_div", "intermediateLayers": [], "attentionDistill": false}}','distillation','bert','bert-mini','text',10,'RUNNING',12,50,2.276966,50,'reviews','reviews',NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-30 12:14:06.000000',NULL,NULL,NULL,'2026-11-30 12:14:02.000000',NULL,'2026-11-30 12:14:17.000000',NULL,0);
INSERT INTO "md_training_task" VALUES(8,'TASK_00117AB6','queued',NULL,'made as queued','','bert-mini',2,0,8,0.0001,4,0.5,0,16,0.1,'{"optimizer": "adamw", "lrScheduler": "cosine", "weightDecay": 0.01, "gradAccumSteps": 1, "maxGradNorm": 1.0, "gpuDevices": "cpu", "autoSaveCheckpoint": false, "checkpointInterval": 100, "taskType": "text", "numClasses": null, "imageSize": 224, "distillationType": "hybrid", "featureLossType": "mse", "alignFeature": true, "teacherModelConfig": {"paramSize": null, "modelPath": null, "quantization": "none"}, "studentModelConfig": {"paramSize": null, "initMethod": "random", "pretrainPath": null}, "loraAdvancedConfig": {"targetModules": [], "layers": "all", "biasTrain": "none"}, "distillationAdvancedConfig": {"hardLabelWeight": 0.5, "softLabelWeight": 0.5, "lossType": "kl_div", "intermediateLayers": [], "attentionDistill": false}}','direct','bert','bert-mini','text',10,'QUEUED',0,NULL,NULL,NULL,'reviews','reviews',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-30 12:14:17.000000',NULL,'2026-11-30 12:14:17.785185',NULL,0);
CREATE INDEX idx_create_time ON md_training_task (create_time);
CREATE INDEX idx_status ON md_training_task (status);
CREATE INDEX idx_student_model ON md_training_task (student_model);
CREATE INDEX idx_teacher_model ON md_training_task (teacher_model);
CREATE INDEX idx_epoch ON md_training_history (epoch);
CREATE INDEX idx_record_time ON md_training_history (record_time);
CREATE INDEX idx_task_id ON md_training_history (task_id);
CREATE INDEX idx_eval_time ON md_model_evaluation (eval_time);
CREATE INDEX idx_evaluation_task_id ON md_model_evaluation (task_id);
CREATE INDEX idx_job_live ON md_task_job (live);
CREATE INDEX idx_job_position ON md_task_job (position);
CREATE INDEX idx_job_token ON md_task_job (token_hash);
CREATE INDEX idx_task_event ON md_task_event (task_id, id);
CREATE UNIQUE INDEX idx_task_attempt ON md_task_attempt (task_id, attempt);
CREATE INDEX idx_task_page ON md_training_task (del_flag, id);
CREATE INDEX idx_task_page_status ON md_training_task (del_flag, status, id);
CREATE INDEX idx_dataset_archive ON md_dataset (archive_sha256);
CREATE INDEX idx_dataset_status ON md_dataset (status);
CREATE INDEX idx_upload_status ON md_dataset_upload (status);
CREATE UNIQUE INDEX idx_dataset_version ON md_dataset_version (name_hash, number);
CREATE UNIQUE INDEX idx_dataset_version_digest ON md_dataset_version (name_hash, digest);
CREATE UNIQUE INDEX idx_task_data ON md_task_data (task_id, attempt, part);
COMMIT;
